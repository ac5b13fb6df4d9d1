package simnet

// A queue is a heap of future events with four children per node. It is shallower than a binary heap, and the
// children of a node lie in one or two cache lines.
type queue struct {
	heap []item
	seq  uint64 // of the newest item
}

// An item is an event at a moment. Items of the same moment happen in the order in which they were added.
type item struct {
	at  int64
	seq uint64
	ref int32 // a packet, or the complement of an action
	dst int32 // of a packet: its place, so that reading its host does not wait until the packet is in the cache
}

func (a *item) before(b *item) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// next returns when the first item happens.
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

// pop removes and returns the first item.
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

// sink puts an item in the place of the root and restores the heap order.
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
