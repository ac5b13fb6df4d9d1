package node

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/status"
)

// trio starts three nodes that know each other and have links.
func trio(t *testing.T, w *network) (a, b, c *Node[member]) {
	t.Helper()
	a, b, c = w.start(t, "a", nil), w.start(t, "b", nil), w.start(t, "c", nil)
	join(t, b, address(a))
	join(t, c, address(a))
	time.Sleep(5 * time.Second)
	return a, b, c
}

func statusOf(t *testing.T, n *Node[member]) status.Status {
	t.Helper()
	s, err := n.Status()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatusShowsMembersAndLinksInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, _, _ := trio(t, &w)
		s := statusOf(t, a)
		var names []string
		for _, m := range s.Members {
			names = append(names, m.Name)
			if m.State != status.Alive || m.ProtocolCur != 2 || m.Incarnation == 0 {
				t.Errorf("member %+v", m)
			}
		}
		if !slices.Equal(names, []string{"a", "b", "c"}) {
			t.Errorf("members %q", names)
		}
		if s.Self.Name != "a" || len(s.Links) != 2 {
			t.Fatalf("%q has %d links", s.Self.Name, len(s.Links))
		}
		for i, l := range s.Links {
			if l.Name != names[i+1] {
				t.Errorf("link %d is to %s, want %s", i, l.Name, names[i+1])
			}
			if !l.Subscription || !l.Subscriber {
				t.Errorf("link %d: subscription %t, subscriber %t, want both", i, l.Subscription, l.Subscriber)
			}
			if l.RTT == 0 || l.Sent == 0 {
				t.Errorf("link %d: a round trip of %v, %d bytes sent", i, l.RTT, l.Sent)
			}
			if l.MTU < 1200 {
				t.Errorf("link %d: MTU %d", i, l.MTU)
			}
		}
		if len(s.Suspicions) > 0 || len(s.Warnings) > 0 {
			t.Errorf("suspicions %v, warnings %v", s.Suspicions, s.Warnings)
		}
	})
}

func TestStatusFollowsACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, _, c := trio(t, &w)
		if err := c.Shutdown(); err != nil {
			t.Fatal(err)
		}
		var suspected status.Status
		until(t, func() bool {
			suspected = statusOf(t, a)
			return len(suspected.Suspicions) > 0
		})
		if x := suspected.Suspicions[0]; x.Name != "c" || len(x.Accusers) == 0 || x.Incarnation == 0 {
			t.Errorf("suspicion %+v", x)
		}
		time.Sleep(30 * time.Second)
		s := statusOf(t, a)
		if m := s.Members[2]; m.Name != "c" || m.State != status.Failed {
			t.Errorf("the third member is %s, %v, want c, failed", m.Name, m.State)
		} else if m.FoundBy.Name == "" {
			t.Error("nobody has found c failed")
		}
		if s.Tombstones != 1 {
			t.Errorf("%d tombstones, want 1", s.Tombstones)
		}
		var kinds []status.Kind
		for _, e := range s.History {
			if e.Node.Name == "c" {
				kinds = append(kinds, e.Kind)
			}
		}
		if !slices.Equal(kinds, []status.Kind{status.Joined, status.Suspected, status.MemberDied}) {
			t.Errorf("history of c: %v", kinds)
		}
	})
}

// drain returns the events that a channel holds.
func drain(ch <-chan status.Event) (events []status.Event) {
	for len(ch) > 0 {
		events = append(events, <-ch)
	}
	return events
}

func TestWatcherGetsMembersAndCopiesUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, b, c := trio(t, &w)
		ctx, cancel := context.WithCancel(t.Context())
		ch := make(chan status.Event, 16)
		if err := a.Watch(ctx, ch); err != nil {
			t.Fatal(err)
		}
		if err := b.Broadcast([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		copies := drain(ch)
		if len(copies) == 0 {
			t.Fatal("no copy")
		}
		if first := copies[0]; first.Kind != status.Received || first.Size != 5 {
			t.Errorf("first %+v", first)
		}
		for _, e := range copies[1:] { // one from c, unless c had the copy of a before it sent its own
			if e.Kind != status.Duplicate || e.Message != copies[0].Message {
				t.Errorf("further copy %+v", e)
			}
		}
		if err := c.Leave(time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if left := drain(ch); len(left) != 1 || left[0].Kind != status.MemberLeft || left[0].Node.Name != "c" {
			t.Errorf("after c left: %+v", left)
		}
		cancel()
		synctest.Wait()
		if err := b.Broadcast([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if len(ch) > 0 {
			t.Errorf("told after the end: %+v", <-ch)
		}
	})
}

func TestSlowWatcherLearnsHowManyEventsItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a, b, c := trio(t, &w)
		if err := c.Shutdown(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		ch := make(chan status.Event, 1)
		if err := a.Watch(t.Context(), ch); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if err := b.Broadcast([]byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if e := <-ch; e.Missed != 0 {
			t.Errorf("the first missed %d", e.Missed)
		}
		if err := b.Broadcast([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if e := <-ch; e.Missed != 3 {
			t.Errorf("missed %d, want 3", e.Missed)
		}
	})
}

func TestStatusAndWatchEndWithTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w network
		a := w.start(t, "a", nil)
		ctx, cancel := context.WithCancel(t.Context())
		if err := a.Watch(ctx, make(chan status.Event)); err != nil {
			t.Fatal(err)
		}
		_ = a.Shutdown()
		cancel()
		synctest.Wait()
		if _, err := a.Status(); !errors.Is(err, ErrShutdown) {
			t.Errorf("Status: %v", err)
		}
		if err := a.Watch(t.Context(), nil); !errors.Is(err, ErrShutdown) {
			t.Errorf("Watch: %v", err)
		}
	})
}
