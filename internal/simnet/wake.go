package simnet

// wakes is a heap of the hosts that will run without a further input. Each host is in it at most once and stores its
// own position, so a timer that moves leaves no stale entry behind.
type wakes struct{ heap []*host }

func (w *wakes) next() int64 {
	if len(w.heap) == 0 {
		return never
	}
	return w.heap[0].wakeAt
}

func wakesBefore(a, b *host) bool {
	return a.wakeAt < b.wakeAt || a.wakeAt == b.wakeAt && a.index < b.index
}

// set changes the time of a host. It adds the host if necessary, and removes it if at is never.
func (w *wakes) set(h *host, at int64) {
	if at == never {
		if h.slot >= 0 {
			w.remove(h)
		}
		return
	}
	if h.slot < 0 {
		h.slot = int32(len(w.heap))
		w.heap = append(w.heap, h)
		h.wakeAt = at
		w.up(h)
		return
	}
	earlier := at < h.wakeAt
	h.wakeAt = at
	if earlier {
		w.up(h)
	} else {
		w.down(h)
	}
}

func (w *wakes) remove(h *host) {
	last := w.heap[len(w.heap)-1]
	w.heap = w.heap[:len(w.heap)-1]
	if last != h {
		w.heap[h.slot], last.slot = last, h.slot
		w.up(last)
		w.down(last)
	}
	h.slot = -1
}

func (w *wakes) up(h *host) {
	i := int(h.slot)
	for i > 0 {
		parent := (i - 1) / 4
		if !wakesBefore(h, w.heap[parent]) {
			break
		}
		w.put(i, w.heap[parent])
		i = parent
	}
	w.put(i, h)
}

func (w *wakes) down(h *host) {
	i := int(h.slot)
	for {
		child := 4*i + 1
		if child >= len(w.heap) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(w.heap)); c++ {
			if wakesBefore(w.heap[c], w.heap[least]) {
				least = c
			}
		}
		if !wakesBefore(w.heap[least], h) {
			break
		}
		w.put(i, w.heap[least])
		i = least
	}
	w.put(i, h)
}

func (w *wakes) put(i int, h *host) { w.heap[i], h.slot = h, int32(i) }
