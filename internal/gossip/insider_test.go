package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// say lets node i send node k whatever it likes, as one who has the key can, and lets it arrive.
func (c *cluster) say(i, k int, plain []byte) {
	c.t.Helper()
	c.do(i, func(now time.Time) {
		n := c.nodes[i]
		p := n.peers[c.nodes[k].cfg.ID]
		if p == nil {
			c.t.Fatal("no session")
		}
		n.sendPlain(now, p, plain)
	})
	c.net.RunFor(5 * time.Millisecond)
}

// duo is two nodes with a link, 0 the one that 1 attacks.
func duo(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(2 * time.Second)
	c.net.RunFor(3 * time.Second)
	return c
}

// What a link is asked for must not stand in the way of what a subscription needs, nor of an accusation.
func TestWantsAndPrunesPutOffNeitherSubscriptionsNorAccusations(t *testing.T) {
	c := duo(t)
	n := c.nodes[0]
	c.do(0, func(now time.Time) {
		p := n.peers[c.nodes[1].cfg.ID]
		asked, told := p.asked, p.told
		n.promote(now, p)
		n.demote(now, p, wire.MessageID{})
		p.offers = append(p.offers, offer{id: wire.MessageID{6: 0x80, 15: 9}, total: 9, at: now, due: now})
		n.tickOffers(now, p)
		if n.stats.Wanted == 0 || p.asked != asked || p.told != told {
			t.Errorf("%d asked for; the subscription was asked for at %v, then %v, the accusation told at %v, then %v", n.stats.Wanted, asked, p.asked, told, p.told)
		}
	})
}
