package gossip

import "time"

// A timer calls fire when its time has come. It stands on at most one place of the core's heap;
// setting it again moves it. Owned by the core.
type timer struct {
	at   time.Time
	pos  int // place on the heap + 1; 0 when not set
	fire func(now time.Time)
}

// timers is a binary heap of what is due, soonest first.
type timers struct {
	heap []due
	seq  uint64
}

// due is a timer on the heap, with what it is sorted by: after each datagram the soonest time is asked for,
// and the timer itself lies elsewhere.
type due struct {
	at  time.Time // the timer's
	seq uint64    // breaks ties in the order of setting, so that a run can be repeated
	t   *timer
}

// set makes t due at the given time, whether or not it was set before.
func (h *timers) set(t *timer, at time.Time) {
	h.seq++
	t.at = at
	d := due{at, h.seq, t}
	if t.pos == 0 {
		h.heap = append(h.heap, d)
		t.pos = len(h.heap)
		h.up(t.pos - 1)
		return
	}
	h.heap[t.pos-1] = d
	h.up(t.pos - 1)
	h.down(t.pos - 1)
}

// advance makes t due at the given time if it is not due before.
func (h *timers) advance(t *timer, at time.Time) {
	if t.pos == 0 || at.Before(t.at) {
		h.set(t, at)
	}
}

// stop takes t off the heap.
func (h *timers) stop(t *timer) {
	if t.pos == 0 {
		return
	}
	i, last := t.pos-1, len(h.heap)-1
	h.swap(i, last)
	h.heap[last] = due{}
	h.heap = h.heap[:last]
	t.pos = 0
	if i < last {
		h.up(i)
		h.down(i)
	}
}

// next is the time of the soonest timer; zero when there is none.
func (h *timers) next() time.Time {
	if len(h.heap) == 0 {
		return time.Time{}
	}
	return h.heap[0].at
}

// run fires what is due, each timer at most as often as it was due when run began plus what it sets
// anew into the past; a timer that sets itself to now or earlier is moved a little later.
func (h *timers) run(now time.Time) {
	for len(h.heap) > 0 && !h.heap[0].at.After(now) {
		t := h.heap[0].t
		h.stop(t)
		t.fire(now)
		if t.pos != 0 && !t.at.After(now) {
			h.set(t, now.Add(minTick))
		}
	}
}

// minTick is the shortest time a timer waits after it fired.
const minTick = time.Millisecond

func (h *timers) less(i, j int) bool {
	a, b := &h.heap[i], &h.heap[j]
	if c := a.at.Compare(b.at); c != 0 {
		return c < 0
	}
	return a.seq < b.seq
}

func (h *timers) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].t.pos, h.heap[j].t.pos = i+1, j+1
}

func (h *timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *timers) down(i int) {
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
