package gossip

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

// PROTOCOL.md G6.
func TestHeartbeatsGoOutTogetherToHalfOfTheLinksIfThereAreMany(t *testing.T) {
	for _, nodes := range []int{6, 12} {
		c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond)})
		c.add(nodes)
		c.form(10 * time.Second)
		c.net.RunFor(10 * time.Second)
		for i, n := range c.nodes {
			due, groups := map[time.Duration]int{}, 1
			if len(n.links) > 5 {
				groups = 2
			}
			for _, p := range n.links {
				due[p.Beat.Sub(c.net.Now())]++
			}
			if len(due) != groups {
				t.Errorf("node %d of %d with %d links sends heartbeats in %v, want %d moments", i, nodes, len(n.links), due, groups)
			}
			for in, links := range due {
				if in < 0 || in > time.Duration(groups)*21*time.Second/20 {
					t.Errorf("node %d of %d sends a heartbeat in %v", i, nodes, in)
				}
				if links < len(n.links)/groups {
					t.Errorf("node %d of %d with %d links sends heartbeats in %v, want as many each time", i, nodes, len(n.links), due)
				}
			}
		}
	}
}

// PROTOCOL.md G6.
func TestLinkWithAMessageGetsTheNextHeartbeat(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond)})
	c.add(12)
	c.form(10 * time.Second)
	c.net.RunFor(10300 * time.Millisecond)
	n := c.nodes[0]
	next, last := n.links[0], n.links[0]
	for _, p := range n.links {
		if p.Beat.Before(next.Beat) {
			next = p
		}
		if p.Beat.After(last.Beat) {
			last = p
		}
	}
	due := next.Beat
	if !last.Beat.After(due) || due.Sub(c.net.Now()) < 10*time.Millisecond {
		t.Fatalf("heartbeats in %v and %v", due.Sub(c.net.Now()), last.Beat.Sub(c.net.Now()))
	}
	to := slices.IndexFunc(c.nodes, func(o *node) bool { return o.cfg.ID == last.ID })
	lost := c.net.Block(c.addrs(0, 1), c.addrs(to, to+1))
	c.tell(0, to, "lost at first", false, time.Second)
	c.net.RunFor(time.Millisecond)
	lost.Heal()
	c.net.RunFor(due.Sub(c.net.Now()) + 20*time.Millisecond)
	if got := c.nodes[to].got["lost at first"]; got != 1 {
		t.Errorf("the message came %d times by the next heartbeat of its sender", got)
	}
}
