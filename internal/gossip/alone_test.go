package gossip

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
)

// deathsKnown runs until the survivors, the first of the nodes, have only each other as members. It returns when the
// first death was known to the slowest survivor, and when the last one was.
func (c *cluster) deathsKnown(survivors int, within time.Duration) (first, last time.Duration) {
	const step = 100 * time.Millisecond
	size := len(c.nodes)
	for at := step; at <= within; at += step {
		c.net.RunFor(step)
		most := 0
		for _, n := range c.nodes[:survivors] {
			most = max(most, n.members.Count())
		}
		if first == 0 && most < size {
			first = at
		}
		if most == survivors {
			return first, at
		}
	}
	return first, 0
}

func checkDeathsKnown(t *testing.T, first, last time.Duration) {
	t.Helper()
	t.Logf("the first death is known after %v, the last after %v", first, last)
	if first == 0 || first > 15*time.Second {
		t.Errorf("the first death is known after %v (0: never), want 15 s at most", first)
	}
	if last == 0 || last > 30*time.Second {
		t.Errorf("the last death is known after %v (0: never), want 30 s at most", last)
	}
}

func TestFewSurvivorsKnowTheDeadSoon(t *testing.T) {
	for _, s := range []struct{ survivors, deaths int }{{1, 1}, {1, 3}, {1, 10}, {1, 100}, {3, 10}, {2, 50}, {5, 5}} {
		t.Run(fmt.Sprintf("%d-%d", s.survivors, s.deaths), func(t *testing.T) {
			for seed := range uint64(sized(20, brief(3, 1))) {
				c := newCluster(t, seed+1, lan())
				c.add(s.survivors + s.deaths)
				c.form(10 * time.Second)
				c.net.RunFor(10*time.Second + time.Duration(seed)*137*time.Millisecond)
				for _, n := range c.nodes[s.survivors:] {
					c.net.Crash(n.addr)
				}
				first, last := c.deathsKnown(s.survivors, 10*time.Minute)
				checkDeathsKnown(t, first, last)
				for i, n := range c.nodes[:s.survivors] {
					if n.count(event.Leave, "") != s.deaths {
						t.Errorf("survivor %d: %d leave events", i, n.count(event.Leave, ""))
					}
				}
			}
		})
	}
}

func TestIsolatedNodeKnowsItSoon(t *testing.T) {
	c := formed(t, 6)
	c.net.Partition([]netip.AddrPort{c.nodes[0].addr}, c.others(0))
	first, last := c.deathsKnown(1, 10*time.Minute)
	checkDeathsKnown(t, first, last)
}
