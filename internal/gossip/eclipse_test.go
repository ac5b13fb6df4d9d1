package gossip

import (
	"testing"
	"time"
)

// The choice of links is the secret of each run of a node: another run with the same id, among the same members, chooses
// others. Otherwise the owner of an id could compute by whom it is chosen.
func TestChoiceOfLinksCannotBeComputedFromIDs(t *testing.T) {
	choice := func(stream uint64) map[string]bool {
		c := newCluster(t, 1, lan())
		c.tweak = func(i int, cfg *Config) {
			if i == 0 {
				cfg.Rand = c.net.Reader(stream)
			}
		}
		c.add(40)
		c.form(3 * time.Second)
		c.net.RunFor(10 * time.Second)
		names := map[string]bool{}
		for _, id := range c.nodes[0].overlay.Choice() {
			names[c.nodes[0].report.Name(id)] = true
		}
		return names
	}
	first, other := choice(1<<40), choice(1<<40+1)
	same := 0
	for name := range first {
		if other[name] {
			same++
		}
	}
	if len(first) < 5 || same > 3 {
		t.Errorf("%d of %d members are chosen under either secret", same, len(first))
	}
}
