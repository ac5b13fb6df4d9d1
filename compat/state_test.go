package compat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// withState gives the app of a node a state, and disables all exchanges except that of Join.
func withState(state string) func(*memberlist.Config, *app) {
	return func(conf *memberlist.Config, a *app) { conf.PushPullInterval, a.state = 0, []byte(state) }
}

func TestJoinExchangesStatesBothWays(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a", withState("of a")), c.node("b", withState("of b"))
		c.join(a, b)
		c.same("b got, when Join returns", b.received(), []string{"of a"})
		c.soon("a got it", func() bool { return len(a.received()) > 0 })
		c.same("a got", a.received(), []string{"of b"})
		time.Sleep(5 * time.Minute)
		for _, n := range []*node{a, b} {
			c.same("calls", n.calls("state", "remote"), []string{"state true", "remote true"})
		}
	})
}

func TestJoinNotifiesOfMembersBeforeItMergesTheirState(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a", withState("of a")), c.node("b", withState("of b"))
		a.forget()
		b.forget()
		knew := ""
		b.onMerge = func() { knew = b.names() }
		c.join(a, b)
		c.same("order", b.calls("merge", "alive", "join", "remote", "state"), []string{"state true", "merge 1", "alive a ", "join a", "remote true"})
		c.same("members known when the state came", knew, "a b")
	})
}

func TestBothSidesHearOfTheOtherNodeBeforeTheyMergeItsState(t *testing.T) {
	inMemoryAndOnSockets(t, func(t *testing.T, c *cluster) {
		seed := c.node("seed", withState("of seed"))
		for i := range 20 {
			name := fmt.Sprint("n", i)
			n := c.node(name, withState("of "+name))
			seed.forget()
			c.join(seed, n)
			c.same("the node that joins: first", joinsAndStates(n, "seed")[0], "join seed")
			c.soon("the other merged", func() bool { return len(seed.calls("remote")) > 0 })
			c.same("the other: first", joinsAndStates(seed, name)[0], "join "+name)
			if t.Failed() {
				return
			}
		}
	})
}

// joinsAndStates returns the calls of n's app for merged states and for joins of a member.
func joinsAndStates(n *node, member string) []string {
	return slices.DeleteFunc(n.calls("join", "remote"), func(call string) bool { return call != "join "+member && call != "remote true" })
}

func TestStateIsFetchedFromEachNodeOfAJoin(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a", withState("of a")), c.node("b", withState("of b")), c.node("d", withState("of d"))
		reached, err := d.Join([]string{a.end.addr(), b.end.addr()})
		c.same("Join", []any{reached, err}, []any{2, error(nil)})
		got := d.received()
		c.same("states", len(got) == 2 && got[0] != got[1], true)
		c.soon("a and b got d's", func() bool { return len(a.received()) > 0 && len(b.received()) > 0 })
	})
}

func TestEmptyStateIsNotSent(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a", withState("")), c.node("b", withState("of b"))
		c.join(a, b)
		c.soon("a got b's", func() bool { return len(a.received()) == 1 })
		c.same("b got", b.received(), []string(nil))
	})
}

func TestStateMayBeLarge(t *testing.T) {
	for name, size := range map[string]int{"1 MiB": 1 << 20, "16 MiB": 16 << 20} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cluster) {
				large := strings.Repeat("0123456789abcdef", size/16)
				a, b := c.node("a", withState(large)), c.node("b", withState("of b"))
				c.join(a, b)
				c.same("b got it whole", len(b.received()) == 1 && b.received()[0] == large, true)
				d := c.node("d", withState(large[1:]))
				c.join(b, d)
				c.soon("b got d's", func() bool { return len(b.received()) == 2 })
				c.same("whole", b.received()[1] == large[1:], true)
			})
		})
	}
}

func TestJoinFailsIfTheStateOfEitherSideIsTooLarge(t *testing.T) {
	const size = 21 << 20
	for _, large := range []string{"a", "b"} {
		t.Run("of "+large, func(t *testing.T) {
			inMemoryAndOnSockets(t, func(t *testing.T, c *cluster) {
				states := map[string]string{"a": "of a", "b": "of b"}
				states[large] = strings.Repeat("x", size)
				a, b := c.node("a", withState(states["a"])), c.node("b", withState(states["b"]))
				reached, err := b.Join([]string{a.addr()})
				c.same("Join", []any{reached, err != nil}, []any{0, true})
				if onGwyh && (!strings.Contains(err.Error(), strconv.Itoa(size)) || !strings.Contains(err.Error(), strconv.Itoa(16<<20))) {
					t.Errorf("size and limit are not told: %v", err)
				}
				c.same("states that the joiner merged", len(b.received()), 0)
			})
		})
	}
}

func TestStatesAreExchangedNowAndThen(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		a.app.mu.Lock()
		a.state = []byte("later")
		a.app.mu.Unlock()
		a.forget()
		b.forget()
		c.within(5*time.Minute, "b got the new state", func() bool {
			got := b.received()
			return len(got) > 0 && got[len(got)-1] == "later"
		})
		for _, call := range append(a.calls("state", "remote"), b.calls("state", "remote")...) {
			if strings.HasSuffix(call, "true") {
				t.Errorf("%q without a Join", call)
			}
		}
		c.same("votes", len(a.calls("merge"))+len(b.calls("merge")), 0)
	})
}

func TestStatesAreNotExchangedWithoutPushPullInterval(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two(withState("state"))
		a.forget()
		b.forget()
		time.Sleep(10 * time.Minute)
		c.same("calls", len(a.calls("state", "remote"))+len(b.calls("state", "remote")), 0)
	})
}
