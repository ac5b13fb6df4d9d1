package gossip

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// ask makes node i ask node k to probe a node. It returns the result that k sends within a second, or nil for none.
func (c *cluster) ask(i, k int, target wire.NodeID, addr netip.AddrPort) *bool {
	c.t.Helper()
	n, helper := c.nodes[i], c.nodes[k]
	before := n.swim.Stats
	results := func() uint64 { return n.swim.Stats.ResultsAlive + n.swim.Stats.ResultsNone }
	earlier := results()
	c.do(i, func(now time.Time) {
		n.sender.Send(now, &n.peers[helper.cfg.ID].Peer, wire.AppendProbeFor(n.sender.Begin(), n.newID(), wire.ProbeFor{Seq: 1 << 40, Target: target, Addr: addr}))
	})
	c.net.RunUntil(time.Second, func() bool { return results() != earlier })
	alive, none := n.swim.Stats.ResultsAlive-before.ResultsAlive, n.swim.Stats.ResultsNone-before.ResultsNone
	if alive+none != 1 {
		return nil
	}
	verdict := alive == 1
	return &verdict
}

func TestHelperAnswersWhetherANodeIsAlive(t *testing.T) {
	c := formed(t, 5)
	c.add(2) // unknown to all nodes
	c.net.Crash(c.nodes[4].addr)
	for _, q := range []struct {
		what   string
		target wire.NodeID
		addr   netip.AddrPort
		want   bool
	}{
		{"a member that lives", c.nodes[3].cfg.ID, netip.AddrPort{}, true},
		{"a member that crashed", c.nodes[4].cfg.ID, c.nodes[4].addr, false},
		{"a stranger that lives", c.nodes[5].cfg.ID, c.nodes[5].addr, true},
		{"a stranger at another's address", c.nodes[5].cfg.ID, c.nodes[6].addr, true},
		{"an id that is nobody's, at the address of a node", wire.NodeID{6: 0x80, 8: 0x80}, c.nodes[6].addr, false},
		{"a stranger without an address", c.nodes[6].cfg.ID, netip.AddrPort{}, false},
		{"the helper itself", c.nodes[1].cfg.ID, netip.AddrPort{}, true},
	} {
		got := c.ask(0, 1, q.target, q.addr)
		if got == nil || *got != q.want {
			t.Errorf("%s: %v", q.what, got)
		}
	}
	c.net.RunFor(10 * time.Second)
	if n := c.nodes[1]; n.swim.Requested() != 0 || n.hs.dials.Len() != 0 {
		t.Errorf("%d probes and %d handshakes are left", n.swim.Requested(), n.hs.dials.Len())
	}
}

// The work that an insider may cause is bounded.
func TestRequestsForProbesAreBounded(t *testing.T) {
	c := formed(t, 3)
	c.tweak = nil
	helper, asker := c.nodes[1], c.nodes[0]
	before := helper.Stats().HandshakesStarted
	c.do(0, func(now time.Time) {
		for i := range 500 {
			target := wire.NodeID{1, byte(i >> 8), byte(i), 6: 0x80, 8: 0x80}
			asker.sender.Send(now, &asker.peers[helper.cfg.ID].Peer, wire.AppendProbeFor(asker.sender.Begin(), asker.newID(), wire.ProbeFor{Seq: uint64(i), Target: target, Addr: testAddr(100)}))
		}
	})
	c.net.RunFor(500 * time.Millisecond)
	if got := helper.Stats().HandshakesStarted - before; got == 0 || got > 2*swim.RequestRate {
		t.Errorf("%d handshakes begun", got)
	}
	if got := helper.stats.Dropped[stats.DropOversize]; got != 500-swim.RequestRate {
		t.Errorf("%d dropped", got)
	}
	c.net.RunFor(30 * time.Second)
	if helper.swim.Requested() != 0 || helper.hs.dials.Len() != 0 || len(helper.peers) != 2 {
		t.Errorf("%d probes, %d handshakes, %d peers are left", helper.swim.Requested(), helper.hs.dials.Len(), len(helper.peers))
	}
}

func TestHelperProbesNoAddressThatMembersMayNotHave(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) { cfg.Allow = func(a netip.Addr) bool { return a.As4()[2] == 0 } }
	c.add(3)
	c.form(time.Second)
	before := c.nodes[1].Stats().HandshakesStarted
	if got := c.ask(0, 1, wire.NodeID{6: 0x80, 8: 0x80}, netip.MustParseAddrPort("10.0.9.9:53")); got == nil || *got {
		t.Errorf("%v", got)
	}
	if got := c.nodes[1].Stats().HandshakesStarted - before; got != 0 {
		t.Errorf("%d handshakes begun", got)
	}
}
