// Package timer manages the timers of a state machine in one heap. It never reads a clock: the owner gets the time of
// the earliest timer from Next and calls Run at that time.
//
// A timer's function is called by Run, on the owner's goroutine. Timers that are due at the same time fire in the order
// in which they were set, so that runs are reproducible.
//
// The package has one file.
package timer

import "time"

// MinTick is the minimum time between two firings of a timer.
const MinTick = time.Millisecond

// A Timer calls Fire at the time that it was set to. The zero value with a function is ready for use. A timer belongs to
// one heap and is at most once in it: setting it again moves it. It must not be copied while it is set.
type Timer struct {
	Fire func(now time.Time)

	at  time.Time
	pos int // index in the heap + 1; 0 if the timer is not set
}

// Pending reports whether t is set.
func (t *Timer) Pending() bool { return t.pos != 0 }

// At returns the time that t was last set to, whether or not it is still pending.
func (t *Timer) At() time.Time { return t.at }

// Heap is a binary heap of pending timers, earliest first. The zero value is empty and ready for use. It is not safe for
// concurrent use.
type Heap struct {
	heap []entry
	seq  uint64
	with *Heap // the heap whose seq is used; nil for its own
}

// entry is a pending timer with its sort key. The key is stored here because the earliest time is read after each
// datagram, while the timer is elsewhere in memory.
type entry struct {
	at  time.Time // copy of the timer's
	seq uint64    // breaks ties in the order of setting
	t   *Timer
}

// Len returns the number of pending timers.
func (h *Heap) Len() int { return len(h.heap) }

// Set makes t due at the given time, whether or not it was set before.
func (h *Heap) Set(t *Timer, at time.Time) {
	t.at = at
	e := entry{at, h.count(), t}
	if t.pos == 0 {
		h.heap = append(h.heap, e)
		t.pos = len(h.heap)
		h.up(t.pos - 1)
		return
	}
	h.heap[t.pos-1] = e
	h.up(t.pos - 1)
	h.down(t.pos - 1)
}

// Follow makes h share the order of o: timers of both that are due at the same time are ordered by when they were set,
// as reported by IsBefore. h must be empty.
func (h *Heap) Follow(o *Heap) { h.with = o }

func (h *Heap) count() uint64 {
	if h.with != nil {
		h = h.with
	}
	h.seq++
	return h.seq
}

// IsBefore reports whether the earliest timer of h fires before that of o. Neither heap may be empty.
func (h *Heap) IsBefore(o *Heap) bool { return h.heap[0].isBefore(&o.heap[0]) }

// Advance makes t due at the given time unless it is due earlier.
func (h *Heap) Advance(t *Timer, at time.Time) {
	if t.pos == 0 || at.Before(t.at) {
		h.Set(t, at)
	}
}

// Plan makes t due at the given time, or stops it if the time is zero. A timer already due at that time keeps its place
// among timers of the same time.
func (h *Heap) Plan(t *Timer, at time.Time) {
	switch {
	case at.IsZero():
		h.Stop(t)
	case !t.Pending() || !t.at.Equal(at):
		h.Set(t, at)
	}
}

// Stop removes t from the heap. It does nothing if t is not set.
func (h *Heap) Stop(t *Timer) {
	if t.pos == 0 {
		return
	}
	i, last := t.pos-1, len(h.heap)-1
	h.swap(i, last)
	h.heap[last] = entry{}
	h.heap = h.heap[:last]
	t.pos = 0
	if i < last {
		h.up(i)
		h.down(i)
	}
}

// Next returns the time of the earliest timer, or the zero time if no timer is set.
func (h *Heap) Next() time.Time {
	if len(h.heap) == 0 {
		return time.Time{}
	}
	return h.heap[0].at
}

// Run fires every timer that is due at now, earliest first. A timer that sets itself to now or earlier is moved to
// MinTick after now, so afterwards Next is later than now.
func (h *Heap) Run(now time.Time) {
	for h.RunNext(now) {
	}
}

// RunNext fires the earliest timer if it is due at now, like Run, and reports whether it did.
func (h *Heap) RunNext(now time.Time) bool {
	if len(h.heap) == 0 || h.heap[0].at.After(now) {
		return false
	}
	t := h.heap[0].t
	h.Stop(t)
	t.Fire(now)
	if t.pos != 0 && !t.at.After(now) {
		h.Set(t, now.Add(MinTick))
	}
	return true
}

func (h *Heap) less(i, j int) bool {
	return h.heap[i].isBefore(&h.heap[j])
}

func (e *entry) isBefore(o *entry) bool {
	if c := e.at.Compare(o.at); c != 0 {
		return c < 0
	}
	return e.seq < o.seq
}

func (h *Heap) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].t.pos, h.heap[j].t.pos = i+1, j+1
}

func (h *Heap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *Heap) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.heap); child++ {
			if h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

// Due reports whether the time at has come. The zero time means never.
func Due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// Soonest returns the earlier of two times. The zero time means never.
func Soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
