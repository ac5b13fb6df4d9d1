package simnet

// A queue is a heap of things to happen, four children to a node: shallower than a binary heap, and
// the children of a node lie in one or two cache lines.
type queue struct {
	heap []item
	seq  uint64 // of the newest item
}

// An item happens at a moment; items of the same moment happen in the order they were put in.
type item struct {
	at  int64
	seq uint64
	ref int32 // a packet, or the complement of an action
	dst int32 // of a packet: its place, so that its host need not wait for the packet to be in the cache
}

func (a *item) before(b *item) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// next is when the first item happens.
func (q *queue) next() int64 {
	if len(q.heap) == 0 {
		return never
	}
	return q.heap[0].at
}

func (q *queue) push(at int64, ref, dst int32) {
	q.seq++
	it := item{at, q.seq, ref, dst}
	q.heap = append(q.heap, it)
	h, i := q.heap, len(q.heap)-1
	for i > 0 {
		parent := (i - 1) / 4
		if !it.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = it
}

// pop takes the first item out.
func (q *queue) pop() (ref, dst int32) {
	ref, dst = q.heap[0].ref, q.heap[0].dst
	last := len(q.heap) - 1
	it := q.heap[last]
	q.heap = q.heap[:last]
	if last > 0 {
		q.sink(it)
	}
	return ref, dst
}

// sink puts it in the place of the root.
func (q *queue) sink(it item) {
	h, i := q.heap, 0
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(h)); c++ {
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if !h[least].before(&it) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = it
}

// wakes is a heap of the hosts that will run by themselves, each in it at most once and knowing its
// place, so that a timer which moves leaves nothing behind.
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

// set moves a host to a new time, into the heap, or with never out of it.
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
