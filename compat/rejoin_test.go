package compat

import (
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// at configures the address that another node had.
func at(old *node) func(*memberlist.Config, *app) {
	return func(conf *memberlist.Config, _ *app) {
		e := conf.Transport.(*end)
		e.net.move(e, old.end.ip)
	}
}

func TestNodeRestartedAtItsAddressIsTheSameMember(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, d := c.node("a"), c.node("d")
		b := c.node("b", func(_ *memberlist.Config, a *app) { a.meta = []byte("one") })
		c.join(a, b, d)
		for _, n := range []*node{a, b, d} {
			c.soon("all know all", func() bool { return n.names() == "a b d" })
		}
		_ = b.Shutdown()
		again := c.node("b", at(b), func(_ *memberlist.Config, a *app) { a.meta = []byte("two") })
		c.join(a, again)
		for _, n := range []*node{a, d} {
			c.within(5*time.Minute, "the new metadata spreads", func() bool { return n.metaOf("b") == "two" })
		}
		time.Sleep(time.Minute)
		c.same("members", again.names(), "a b d")
		for _, n := range []*node{a, d} {
			c.soon("told", func() bool { return len(n.calls("update")) > 0 })
			c.same("events about b", n.calls("update", "leave"), []string{"update b two"})
		}
	})
}

func TestNodeRestartedUnchangedIsNoNews(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		_ = b.Shutdown()
		again := c.node("b", at(b))
		c.join(a, again)
		time.Sleep(time.Minute)
		c.same("members", a.names()+", "+again.names(), "a b, a b")
		c.same("events", a.calls("join", "update", "leave"), []string{"join a", "join b"})
		a.broadcast("hello again")
		c.soon("it arrives", func() bool { return slices.Contains(again.messages(), "hello again") })
	})
}

func TestNewcomerWithATakenNameLearnsOfTheConflict(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		other := c.node("b")
		_, _ = other.Join([]string{a.end.addr()})
		c.soon("the newcomer was told", func() bool { return len(other.calls("conflict")) > 0 })
		c.same("conflict", other.calls("conflict")[0], "conflict b "+other.end.addr()+" "+b.end.addr())
	})
}

func TestNameOfADeadNodeIsFreeAfterDeadNodeReclaimTime(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		reclaim := func(conf *memberlist.Config, _ *app) {
			conf.DeadNodeReclaimTime, conf.GossipToTheDeadTime = 5*time.Second, time.Hour
		}
		a, b := c.two(reclaim)
		_ = b.Shutdown()
		c.soon("b is dead", func() bool { return a.names() == "a" })
		time.Sleep(6 * time.Second)
		again := c.node("b", reclaim) // at another address
		c.join(a, again)
		c.soon("a knows b anew", func() bool { return a.names() == "a b" })
		c.soon("told", func() bool { return len(a.calls("join", "leave")) == 4 })
		c.same("events", a.calls("join", "leave", "conflict"), []string{"join a", "join b", "leave b", "join b"})
	})
}

func TestNodeThatLeftMayJoinAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		c.same("Leave", b.Leave(5*time.Second), error(nil))
		c.soon("a knows that b left", func() bool { return a.names() == "a" })
		_, _ = b.Join([]string{a.end.addr()})
		time.Sleep(10 * time.Second)
		c.same("members of a", a.names(), differs(t, "join-after-leave", "a", "a b"))
	})
}

func TestNodeNeedsNoDelegates(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		bare := func(conf *memberlist.Config, _ *app) {
			conf.Delegate, conf.Events, conf.Alive, conf.Merge, conf.Conflict, conf.Ping = nil, nil, nil, nil, nil, nil
		}
		a, b := c.node("a", bare), c.node("b", bare)
		d := c.node("d")
		c.join(a, b, d)
		for _, n := range []*node{a, b, d} {
			c.soon("all know all", func() bool { return n.names() == "a b d" })
		}
		if err := d.SendReliable(a.LocalNode(), []byte("to nobody")); err != nil {
			t.Error(err)
		}
		c.same("Leave", a.Leave(5*time.Second), error(nil))
		c.soon("the others know", func() bool { return b.names() == "b d" && d.names() == "b d" })
	})
}

// watched records the calls of a transport.
type watched struct {
	*end
	shutdowns atomic.Int64
	ip        atomic.Value // argument of the latest FinalAdvertiseAddr
	port      atomic.Int64
}

func (w *watched) Shutdown() error {
	w.shutdowns.Add(1)
	return w.end.Shutdown()
}

func (w *watched) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	w.ip.Store(ip)
	w.port.Store(int64(port))
	return w.end.FinalAdvertiseAddr(ip, port)
}

func TestTransportIsAskedForItsAddressAndShutDownOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		w := &watched{}
		a := c.node("a", func(conf *memberlist.Config, _ *app) {
			w.end = conf.Transport.(*end)
			conf.Transport, conf.AdvertiseAddr, conf.AdvertisePort = w, "10.7.7.7", 77
		})
		c.same("asked with", []any{w.ip.Load(), w.port.Load()}, []any{"10.7.7.7", int64(77)})
		c.same("node", a.LocalNode().Address(), w.end.addr())
		for range 2 {
			_ = a.Shutdown()
		}
		c.same("shut down", w.shutdowns.Load(), int64(1))
	})
}

func TestTwentyNodesKnowEachOtherAndHearEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		var nodes []*node
		for i := range 20 {
			n := c.node(string(rune('a' + i)))
			n.queue.RetransmitMult, n.queue.NumNodes = 200, n.NumMembers // memberlist chooses its peers at random
			nodes = append(nodes, n)
		}
		c.join(nodes[0], nodes[1:]...)
		for _, n := range nodes {
			c.soon("all know all", func() bool { return n.NumMembers() == 20 })
			c.soon("told", func() bool { return len(n.calls("join")) == 20 })
		}
		for _, n := range nodes {
			n.broadcast("from " + n.LocalNode().Name)
		}
		for _, n := range nodes {
			c.soon("all heard", func() bool {
				got := n.messages()
				slices.Sort(got)
				return len(slices.Compact(got)) == 19
			})
		}
		_ = nodes[7].Leave(5 * time.Second)
		_ = nodes[7].Shutdown()
		_ = nodes[11].Shutdown()
		for i, n := range nodes {
			if i != 7 && i != 11 {
				c.within(3*time.Minute, "all know who is gone", func() bool { return n.NumMembers() == 18 })
			}
		}
	})
}
