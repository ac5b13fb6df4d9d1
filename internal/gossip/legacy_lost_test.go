package gossip

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// beforeLoss returns a cluster of Go nodes and models in which all know each other.
func beforeLoss(t *testing.T, nodes, models int) (c *cluster, olds []netip.AddrPort) {
	t.Helper()
	c = newCluster(t, 1, lan())
	c.add(nodes)
	c.form(5 * time.Second)
	for i := range models {
		m := c.addModel(byte(i), c.nodes[i%nodes].addr)
		olds = append(olds, m.Addr())
		c.net.RunFor(7 * time.Second)
	}
	c.net.RunFor(20 * time.Second)
	for i, n := range c.nodes {
		if n.members.Count() != nodes+models {
			t.Fatalf("node %d knows %d members", i, n.members.Count())
		}
	}
	return c, olds
}

func TestGoNodeThatAloneLostALegacyNodeDoesNotReportItDead(t *testing.T) {
	for _, models := range []int{1, 3} {
		for _, lost := range []time.Duration{20 * time.Second, 30 * time.Second, time.Minute, 3 * time.Minute} {
			for _, bothWays := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d models, %v, both ways %t", models, lost, bothWays), func(t *testing.T) {
					c, olds := beforeLoss(t, 8, models)
					for i := range c.nodes {
						c.nodes[i].events = nil
					}
					x := []netip.AddrPort{c.nodes[0].addr}
					b := c.net.Block(x, olds[:1])
					if bothWays {
						b = c.net.Partition(x, olds[:1])
					}
					c.net.RunFor(lost)
					b.Heal()
					c.net.RunFor(2 * time.Minute)
					for i, n := range c.nodes {
						if len(n.events) > 0 {
							t.Errorf("node %d was told %q", i, n.names())
						}
					}
				})
			}
		}
	}
}

func TestDownAboutALegacyNodeIsNotBelievedWhereAnotherGoNodeHearsIt(t *testing.T) {
	c, olds := beforeLoss(t, 4, 1)
	a := c.addAncient(t, 1)
	c.net.RunFor(time.Second)
	for i := range c.nodes {
		c.nodes[i].events = nil
	}
	b := c.net.Partition([]netip.AddrPort{c.nodes[0].addr}, olds)
	a.status(a.next(), c.nodes[0].members.Named(legacy.Name(olds[0])).ID, olds[0], false)
	c.net.RunFor(5 * time.Second)
	b.Heal()
	c.net.RunFor(30 * time.Second)
	for i, n := range c.nodes {
		if len(n.events) > 0 {
			t.Errorf("node %d was told %q", i, n.names())
		}
	}
}

func TestQuestionsAboutALegacyNodeArePassedOnOnceASecond(t *testing.T) {
	c, a, _ := aged(t, 3)
	a.mute = true
	n := c.nodes[0]
	m := n.members.Get(a.id)
	sent := n.Stats().SentDatagrams
	for range 100 {
		e := wire.Member{ID: a.id, State: wire.StateSuspect, Incarnation: m.Incarnation, From: c.nodes[1].cfg.ID}
		c.do(0, func(now time.Time) { n.membership.apply(now, &e, n.peers[c.nodes[1].cfg.ID], byNews) })
	}
	if got := n.Stats().SentDatagrams - sent; got == 0 || got > 3 {
		t.Errorf("%d datagrams were sent because of 100 questions", got)
	}
}
