package gwyh01

import (
	"container/heap"
	"time"
)

// timers holds the timers, soonest first; timers of the same moment are in the order in which they were set.
type timers struct {
	heap timerHeap
	seq  uint64
}

type timer struct {
	at   time.Time
	seq  uint64
	fire func(now time.Time)
}

// after calls f once d has passed, unless the node is shut down.
func (n *Node) after(now time.Time, d time.Duration, f func(now time.Time)) {
	t := &n.timers
	t.seq++
	heap.Push(&t.heap, timer{now.Add(d), t.seq, f})
}

func (t *timers) next() time.Time {
	if len(t.heap) == 0 {
		return time.Time{}
	}
	return t.heap[0].at
}

func (t *timers) run(now time.Time) {
	for len(t.heap) > 0 && !t.heap[0].at.After(now) {
		heap.Pop(&t.heap).(timer).fire(now)
	}
}

type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = timer{}
	*h = (*h)[:last]
	return t
}
