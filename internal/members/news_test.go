package members

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// names returns the queued members, with an exclamation mark after those with only new accusations.
func names(items []NewsItem) (s []string) {
	for _, i := range items {
		mark := ""
		if i.Accusations {
			mark = "!"
		}
		s = append(s, i.Member.Name+mark)
	}
	return s
}

func TestNewsIsSentOnceInItsOrder(t *testing.T) {
	w, n := newWorld(t, 1, 2, 3), NewNews()
	for _, i := range []int{2, 1, 2, 3, 1} {
		n.Add(w.now, w.Get(goID(i)), goID(9))
	}
	if n.Len() != 3 {
		t.Errorf("%d wait", n.Len())
	}
	if got := fmt.Sprint(names(n.Begin(w.now))); got != "[node-2 node-1 node-3]" {
		t.Error(got)
	}
	n.Done()
	if n.Len() != 0 || n.Begin(w.now) != nil {
		t.Errorf("%d wait after they were sent", n.Len())
	}
	n.Add(w.now, w.Get(goID(2)), goID(9))
	if got := fmt.Sprint(names(n.Begin(w.now))); got != "[node-2]" {
		t.Error(got)
	}
}

// PROTOCOL.md M6.
func TestSenderOfNewsNeedNotGetItUnlessSeveralSentIt(t *testing.T) {
	w, n := newWorld(t, 1, 2, 3), NewNews()
	n.Add(w.now, w.Get(goID(1)), goID(8))
	n.Add(w.now, w.Get(goID(2)), goID(8))
	n.Add(w.now, w.Get(goID(2)), goID(8))
	n.Add(w.now, w.Get(goID(3)), goID(8))
	n.AddAccusations(w.Get(goID(3)), goID(9))
	var from []wire.NodeID
	for _, i := range n.Begin(w.now) {
		from = append(from, i.From)
	}
	same(t, "senders", [3]wire.NodeID(from), [3]wire.NodeID{goID(8), goID(8), {}})
}

func TestEntryCoversItsAccusations(t *testing.T) {
	w, n := newWorld(t, 1, 2, 3), NewNews()
	n.AddAccusations(w.Get(goID(1)), goID(9))
	n.AddAccusations(w.Get(goID(2)), goID(9))
	n.Add(w.now, w.Get(goID(2)), goID(9))
	n.Add(w.now, w.Get(goID(3)), goID(9))
	n.AddAccusations(w.Get(goID(3)), goID(9))
	if got := fmt.Sprint(names(n.Begin(w.now))); got != "[node-1! node-2 node-3]" {
		t.Error(got)
	}
}

// PROTOCOL.md M6.
func TestNewsWaitsLongerWhileMoreKeepsComing(t *testing.T) {
	w, n := newWorld(t, 1), NewNews()
	m := w.Get(goID(1))
	if due := n.Add(w.now, m, goID(9)); !due.Equal(w.now) {
		t.Errorf("the first waits until %v", due)
	}
	if due := n.Add(w.now, m, goID(9)); !due.IsZero() {
		t.Errorf("what waits already is due at %v", due)
	}
	var waits []time.Duration
	for range 6 {
		n.Begin(w.now)
		n.Done()
		due := n.Add(w.now, m, goID(9))
		waits = append(waits, due.Sub(w.now))
		w.now = due
	}
	if got := fmt.Sprint(waits); got != "[10ms 20ms 40ms 80ms 160ms 160ms]" {
		t.Error(got)
	}
	n.Begin(w.now)
	n.Done()
	w.sleep(time.Second)
	if due := n.Add(w.now, m, goID(9)); !due.Equal(w.now) {
		t.Errorf("news after a calm second waits for %v", due.Sub(w.now))
	}
	n.Begin(w.now)
	n.Done()
	if due := n.Add(w.now, m, goID(9)); due.Sub(w.now) != newsWait {
		t.Errorf("and the next for %v", due.Sub(w.now))
	}
}

func TestNewsDoesNotAllocateOnceItHasGrown(t *testing.T) {
	w, n := newWorld(t, 1, 2, 3), NewNews()
	round := func() {
		for m := range w.Each {
			n.Add(w.now, m, goID(9))
		}
		n.Begin(w.now)
		n.Done()
	}
	round()
	if got := testing.AllocsPerRun(100, round); got > 0 {
		t.Errorf("%v allocations", got)
	}
}
