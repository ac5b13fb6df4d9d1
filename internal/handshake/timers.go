package handshake

import (
	"container/heap"
	"time"
)

// A timer is a point in time at which the Endpoint has work to do. It belongs to an attempt or to a half-open
// handshake, which sets fire once.
type timer struct {
	at    time.Time
	order uint64 // of the last set; timers of the same time fire in this order, so that runs are reproducible
	index int    // in the heap, from 1; 0 if not set
	fire  func(now time.Time)
}

// timers is the Endpoint's timer queue, ordered by time.
type timers struct {
	heap  timerHeap
	order uint64
	first time.Time // time of the first timer, zero if there is none; cached because it is read after every datagram
}

// set sets the timer to the given time.
func (t *timers) set(x *timer, at time.Time) {
	t.order++
	x.at, x.order = at, t.order
	if x.index == 0 {
		heap.Push(&t.heap, x)
	} else {
		heap.Fix(&t.heap, x.index-1)
	}
	t.first = t.heap[0].at
}

// stop removes the timer from the queue, if it is there.
func (t *timers) stop(x *timer) {
	if x.index == 0 {
		return
	}
	heap.Remove(&t.heap, x.index-1)
	if t.first = (time.Time{}); len(t.heap) > 0 {
		t.first = t.heap[0].at
	}
}

// next returns the time of the first timer, or zero if there is none.
func (t *timers) next() time.Time { return t.first }

// run fires the first timer that is due. Timers that it sets are later than now, so repeated runs terminate.
func (t *timers) run(now time.Time) {
	if len(t.heap) > 0 && !t.heap[0].at.After(now) {
		x := t.heap[0]
		t.stop(x)
		x.fire(now)
	}
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.index = len(*h)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = 0
	return t
}
