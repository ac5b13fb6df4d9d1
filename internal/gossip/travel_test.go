package gossip

import (
	"fmt"
	"testing"
	"time"
)

// PROTOCOL.md Q1: the delay that a copy carries is 0 at the origin, and half of a round trip more at each node.
func TestMessageSaysHowFarItHasTraveledAndWhetherItsOriginSentIt(t *testing.T) {
	c := formed(t, 30)
	c.net.RunFor(5 * time.Second)
	made, passed, chosen := 0, 0, 0
	const origin = 3
	for i := range 20 {
		began := c.net.Elapsed()
		c.broadcast(origin, fmt.Sprint("message ", i), time.Second)
		for _, n := range c.without(origin) {
			e := n.last
			if e.Made != (e.From == c.nodes[origin].cfg.ID) {
				t.Errorf("%s got it from %v, made there: %v", n.cfg.Name, e.From, e.Made)
			}
			if e.Travel < time.Millisecond || e.Travel > c.net.Elapsed()-began {
				t.Errorf("%s: it traveled for %v", n.cfg.Name, e.Travel)
			}
			if e.Made {
				made++
			} else {
				passed++
			}
			chosen += len(n.Parents(e.ID.Origin()))
		}
	}
	if made == 0 || passed == 0 || chosen == 0 {
		t.Errorf("%d copies of the origin, %d of others, %d parents: want some of each", made, passed, chosen)
	}
	c.broadcast(origin, string(make([]byte, 20_000)), 5*time.Second)
	for _, n := range c.without(origin) {
		if n.last.Travel != 0 || n.last.Made {
			t.Errorf("%s: a large message traveled for %v, made there: %v", n.cfg.Name, n.last.Travel, n.last.Made)
		}
	}
}
