package compat

import (
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

func TestNotifyMergeMayFailTheJoin(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a"), c.node("b", func(_ *memberlist.Config, a *app) {
			a.merge = func([]*memberlist.Node) error { return errRefused }
		})
		reached, err := b.Join([]string{a.end.addr()})
		c.same("reached", reached, 0)
		if err == nil || !strings.Contains(err.Error(), errRefused.Error()) {
			t.Errorf("error: %v", err)
		}
		c.same("members of b", b.names(), "b")
		c.same("events of b", b.calls("join"), []string{"join b"})
	})
}

func TestNotifyMergeOfTheOtherKeepsTheJoinerOut(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a", func(_ *memberlist.Config, a *app) {
			a.merge = func([]*memberlist.Node) error { return errRefused }
		})
		b := c.node("b")
		reached, err := b.Join([]string{a.end.addr()})
		c.same("Join", []any{reached, err != nil}, differs(t, "refusal-is-told", []any{1, false}, []any{0, true}))
		c.same("members of a when Join returns", a.names(), "a")
	})
}

func TestNotifyMergeSeesTheOtherCluster(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a", func(_ *memberlist.Config, a *app) { a.meta = []byte("rack 7") })
		b, d := c.node("b"), c.node("d")
		c.join(a, b)
		c.soon("a knows b", func() bool { return a.names() == "a b" })
		_ = b.Leave(5 * time.Second)
		_ = b.Shutdown()
		c.soon("a knows that b left", func() bool { return a.names() == "a" })
		c.join(a, d)
		c.soon("a voted", func() bool { return len(a.merges) > 1 })
		states := map[string]memberlist.NodeStateType{}
		for _, n := range d.merges[0] {
			states[n.Name] = n.State
			if n.Name == "a" {
				c.same("what it sees of a", []string{n.Address(), string(n.Meta)}, []string{a.end.addr(), "rack 7"})
			}
		}
		c.same("states", states, map[string]memberlist.NodeStateType{"a": memberlist.StateAlive, "b": memberlist.StateLeft})
		c.same("a saw", a.merges[len(a.merges)-1][0].Name, "d")
	})
}

func TestNotifyAliveKeepsANodeOut(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a", func(_ *memberlist.Config, a *app) {
			a.alive = func(n *memberlist.Node) error {
				if string(n.Meta) == "bad" {
					return errRefused
				}
				return nil
			}
		})
		b := c.node("b", func(_ *memberlist.Config, a *app) { a.meta = []byte("bad") })
		d := c.node("d", func(_ *memberlist.Config, a *app) { a.meta = []byte("good") })
		reached, err := b.Join([]string{a.end.addr()})
		c.same("Join of the one that is kept out", []any{reached, err != nil}, differs(t, "refusal-is-told", []any{1, false}, []any{0, true}))
		c.join(a, d)
		c.soon("a knows d", func() bool { return a.names() == "a d" })
		time.Sleep(time.Minute)
		c.same("members of a", a.names(), "a d")
		c.same("events of a", a.calls("join"), []string{"join a", "join d"})
	})
}

func TestNotifyAliveSeesNameAddressAndMetadata(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		var seen []string
		a := c.node("a", func(_ *memberlist.Config, a *app) {
			a.alive = func(n *memberlist.Node) error {
				if n.Name == "b" && len(seen) == 0 {
					seen = []string{n.Name, n.Address(), string(n.Meta)}
				}
				return nil
			}
		})
		b := c.node("b", func(_ *memberlist.Config, a *app) { a.meta = []byte("rack 7") })
		c.join(a, b)
		c.soon("a knows b", func() bool { return a.names() == "a b" })
		c.same("seen", seen, []string{"b", b.end.addr(), "rack 7"})
	})
}

func TestSecondNodeOfANameIsAConflict(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		other := c.node("b")
		_, _ = other.Join([]string{a.end.addr()})
		c.soon("a was told", func() bool { return len(a.calls("conflict")) > 0 })
		c.same("conflict", a.calls("conflict")[0], "conflict b "+b.end.addr()+" "+other.end.addr())
		for _, m := range a.Members() {
			if m.Name == "b" {
				c.same("the first stays", m.Address(), b.end.addr())
			}
		}
		c.same("events", a.calls("join", "leave", "update"), []string{"join a", "join b"})
	})
}

func TestNodeOfAnotherDelegateProtocolIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		version := func(least, most, current uint8) func(*memberlist.Config, *app) {
			return func(conf *memberlist.Config, _ *app) {
				conf.DelegateProtocolMin, conf.DelegateProtocolMax, conf.DelegateProtocolVersion = least, most, current
			}
		}
		a, old, new := c.node("a", version(2, 5, 3)), c.node("old", version(0, 2, 1)), c.node("new", version(3, 9, 4))
		reached, err := old.Join([]string{a.end.addr()})
		c.same("Join of one that speaks what a does not", []any{reached, err != nil}, []any{0, true})
		c.join(a, new)
		c.soon("a knows new", func() bool { return a.names() == "a new" })
		c.same("old knows", old.names(), "old")
	})
}
