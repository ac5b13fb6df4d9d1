package compat

import (
	"sync"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

func TestLeaveNotifiesTheNodeItselfAndTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		c.same("Leave", b.Leave(5*time.Second), error(nil))
		c.same("events of b", b.calls("leave"), []string{"leave b"})
		c.same("members of b", b.names(), "a")
		c.soon("a was told", func() bool { return len(a.calls("leave")) == 1 })
		c.same("events of a", a.calls("leave"), []string{"leave b"})
		c.same("members of a", a.names(), "a")
	})
}

func TestNodeThatLeftShowsItsState(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		events := make(chan memberlist.NodeEvent, 16)
		a := c.node("a", func(conf *memberlist.Config, _ *app) { conf.Events = &memberlist.ChannelEventDelegate{Ch: events} })
		b := c.node("b")
		c.join(a, b)
		c.soon("a knows b", func() bool { return a.names() == "a b" })
		c.same("Leave", b.Leave(5*time.Second), error(nil))
		c.soon("a was told", func() bool {
			for len(events) > 0 {
				if e := <-events; e.Event == memberlist.NodeLeave {
					c.same("state", e.Node.State, differs(t, "node-state", memberlist.StateAlive, memberlist.StateLeft))
					return true
				}
			}
			return false
		})
	})
}

func TestLeaveOfALonelyNodeReturnsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		begin := time.Now()
		c.same("Leave", a.Leave(time.Minute), error(nil))
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
		c.same("members", a.NumMembers(), 0)
		c.same("events", a.calls("join", "leave"), []string{"join a", "leave a"})
	})
}

func TestLeaveAndShutdownMayBeCalledTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		_, b := c.two()
		for range 2 {
			c.same("Leave", b.Leave(5*time.Second), error(nil))
		}
		for range 2 {
			c.same("Shutdown", b.Shutdown(), error(nil))
		}
		c.same("events", b.calls("leave"), []string{"leave b"})
	})
}

// memberlist's Leave waits while it holds a lock, which stops the clock of a bubble.
func TestLeaveAndShutdownMayBeCalledConcurrently(t *testing.T) {
	events := newApp()
	a := loopback(t, "a")
	b := loopback(t, "b", func(conf *memberlist.Config) { conf.Events = events })
	if reached, err := b.Join([]string{a.LocalNode().Address()}); reached != 1 || err != nil {
		t.Fatal(reached, err)
	}
	for _, call := range []func() error{func() error { return b.Leave(5 * time.Second) }, b.Shutdown} {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { same(t, "error", call(), error(nil)) })
		}
		all.Wait()
	}
	same(t, "events", events.calls("leave"), []string{"leave b"})
}

func TestLeaveAfterShutdown(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		_ = a.Shutdown()
		with := panics(func() { _ = a.Leave(time.Second) })
		c.same("panics", with != nil, differs(t, "leave-after-shutdown", true, false))
		if with != nil {
			return
		}
		// Leave concurrent with Shutdown does not panic either.
		b := c.node("b")
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _ = b.Leave(time.Second) })
			all.Go(func() { _ = b.Shutdown() })
		}
		all.Wait()
	})
}

func TestShutDownNodeStillShowsWhatItKnew(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		_ = b.Shutdown()
		c.same("members", b.names(), "a b")
		c.same("self", b.LocalNode().Name, "b")
		reached, err := b.Join([]string{a.end.addr()})
		c.same("Join", []any{reached, err != nil}, differs(t, "join-after-shutdown", []any{1, false}, []any{0, true}))
	})
}

// The waits let memberlist's old news expire.
func TestNodeThatLeftComesBackUnderItsNameFromAnotherAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		d := c.node("d")
		c.join(a, d)
		c.soon("b knows d", func() bool { return b.names() == "a b d" })
		time.Sleep(10 * time.Second)
		c.same("Leave", b.Leave(5*time.Second), error(nil))
		c.soon("a knows that b left", func() bool { return a.names() == "a d" })
		time.Sleep(10 * time.Second)
		_ = b.Shutdown()
		again := c.node("b")
		c.join(a, again)
		c.soon("a knows b anew", func() bool { return a.names() == "a b d" })
		for _, m := range a.Members() {
			if m.Name == "b" {
				c.same("address", m.Address(), again.end.addr())
			}
		}
		c.soon("a was told", func() bool { return len(a.calls("join", "leave")) >= 5 })
		c.same("events of a", a.calls("join", "leave"), []string{"join a", "join b", "join d", "leave b", "join b"})
	})
}

func TestCrashedNodeIsFoundOut(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		c.join(a, b, d)
		for _, n := range []*node{a, b, d} {
			c.soon("all know all", func() bool { return n.names() == "a b d" })
		}
		_ = d.Shutdown()
		c.soon("a and b know", func() bool { return a.names() == "a b" && b.names() == "a b" })
		c.soon("a and b were told", func() bool { return len(a.calls("leave"))+len(b.calls("leave")) == 2 })
		c.same("events of a", a.calls("leave"), []string{"leave d"})
	})
}

func TestNodeThatIsCutOffForAMomentStaysAMember(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		c.join(a, b, d)
		for _, n := range []*node{a, b, d} {
			c.soon("all know all", func() bool { return n.names() == "a b d" })
		}
		c.net.lose(func(from, to *end) bool { return from == d.end || to == d.end })
		time.Sleep(1500 * time.Millisecond)
		c.net.lose(nil)
		time.Sleep(time.Minute)
		for _, n := range []*node{a, b, d} {
			c.same("members", n.names(), "a b d")
			c.same("events", n.calls("leave"), []string(nil))
		}
	})
}

func TestSuspectIsAMemberUntilItIsDeclaredDead(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		c.join(a, b, d)
		for _, n := range []*node{a, b, d} {
			c.soon("all know all", func() bool { return n.names() == "a b d" })
		}
		_ = d.Shutdown()
		suspected := false
		for a.NumMembers() == 3 {
			for _, m := range a.Members() {
				suspected = suspected || m.Name == "d" && m.State == memberlist.StateSuspect
			}
			time.Sleep(10 * time.Millisecond)
		}
		c.same("State shows it", suspected, differs(t, "node-state", false, true))
		c.same("members", a.names(), "a b")
	})
}
