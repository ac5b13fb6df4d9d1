package gossip

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// apart returns a cluster whose last Go node knows no other node. The first one knows two gwyh 0.1 nodes.
func apart(t *testing.T, nodes int) (c *cluster, a *ancient, alone *node) {
	t.Helper()
	c, a, _ = aged(t, nodes)
	c.add(1)
	return c, a, c.nodes[nodes]
}

func TestPeerStatusAboutAnUnknownGoNodeIsAHintToShakeHandsWithIt(t *testing.T) {
	c, a, alone := apart(t, 2)
	a.status(a.next(), alone.cfg.ID, alone.addr, true)
	c.net.RunFor(legacy.AttemptWithin + time.Second)
	for i, n := range c.nodes {
		if n.NumGo() != 3 {
			t.Errorf("node %d knows %d Go nodes", i, n.NumGo())
		}
	}
}

func TestHintAtTheAddressOfAnotherGoNodeReachesNobody(t *testing.T) {
	c, a, alone := apart(t, 2)
	a.status(a.next(), wire.NodeID{3, 6: 0x80}, alone.addr, true)
	c.net.RunFor(20 * time.Second)
	if c.nodes[0].NumGo() != 2 || alone.NumGo() != 1 {
		t.Errorf("%d and %d Go nodes are known", c.nodes[0].NumGo(), alone.NumGo())
	}
}

func TestHintsAboutGoNodesAreFollowedAFewAtATime(t *testing.T) {
	c, a, _ := aged(t, 2)
	n := c.nodes[0]
	started, version := n.Stats().HandshakesStarted, n.Version()
	begin := c.net.Elapsed()
	for i := range 200 {
		a.status(a.next(), wire.NodeID{9, byte(i), 6: 0x80}, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 7, 7, byte(i)}), 7), true)
	}
	c.net.RunFor(legacy.AttemptWithin)
	most := uint64(legacy.HintRate.Burst) + uint64((c.net.Elapsed()-begin)/legacy.HintRate.Every)
	if got := n.Stats().HandshakesStarted - started; got == 0 || got > most {
		t.Errorf("%d handshakes were begun", got)
	}
	if n.Version() != version {
		t.Error("a view changed")
	}
}

// askedIn counts the PeerLists that reach two gwyh 0.1 nodes in d.
func (c *cluster) askedIn(d time.Duration, a, b *ancient) int {
	a.took(0)
	b.took(0)
	c.net.RunFor(d)
	return len(a.took(wire.KindPeerList)) + len(b.took(wire.KindPeerList))
}

func TestGoNodeThatKnowsNoOtherAsksForPeersAgainMoreAndMoreSeldom(t *testing.T) {
	c, a, b := aged(t, 1)
	if got := c.askedIn(10*time.Minute, a, b); got < 3 || got > 4 {
		t.Errorf("asked %d times in the first ten minutes", got)
	}
	if got := c.askedIn(20*time.Minute, a, b); got < 3 || got > 4 {
		t.Errorf("asked %d times in twenty minutes", got)
	}
}

func TestGoNodeThatKnowsAnotherDoesNotAskForPeersAgain(t *testing.T) {
	c, a, b := aged(t, 2)
	if got := c.askedIn(20*time.Minute, a, b); got != 0 {
		t.Errorf("asked %d times", got)
	}
}
