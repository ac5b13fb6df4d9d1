package gossip

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// babble returns a message that a gwyh 0.1 peer could send, with known and with invented contents.
func babble(rng *rand.Rand, known []wire.Peer) []byte {
	id := wire.MessageID{byte(rng.Uint32()), byte(rng.Uint32()), 6: 0x40}
	peer := func() wire.Peer {
		if rng.IntN(2) == 0 {
			return known[rng.IntN(len(known))]
		}
		p := wire.Peer{ID: wire.NodeID{byte(rng.Uint32()), byte(rng.Uint32()), 6: byte(rng.IntN(2)) * 0x80, 15: 3}, Zone: wire.Zone{Name: "z", Valid: rng.IntN(2) == 0}}
		p.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 8, byte(rng.Uint32()), byte(rng.Uint32())}), uint16(rng.IntN(3)))
		if rng.IntN(4) == 0 {
			p.Addr = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(rng.Uint32())}), 9)
		}
		return p
	}
	switch rng.IntN(8) {
	case 0:
		return wire.AppendBroadcast(nil, wire.Arrays, id, make([]byte, rng.IntN(100)))
	case 1:
		return wire.AppendFrame(nil, wire.Arrays, id, rng.Uint32(), rng.Uint32(), make([]byte, rng.IntN(100)))
	case 2:
		return wire.AppendNak(nil, id, rng.Uint32(), rng.Uint32())
	case 3:
		list := make([]wire.Peer, rng.IntN(100))
		for i := range list {
			list[i] = peer()
		}
		return wire.AppendPeers(nil, id, list)
	case 4, 5:
		return wire.AppendPeerStatus(nil, id, peer(), rng.IntN(2) == 0)
	case 6:
		b := wire.AppendPeerStatus(nil, id, peer(), true)
		b[rng.IntN(len(b))] ^= byte(rng.Uint32())
		return b[:rng.IntN(len(b)+1)]
	}
	return wire.AppendRequest(nil, id, wire.KindPeerList+wire.Kind(rng.IntN(5)))
}

func TestLegacyPeersThatSayAnythingChangeNothingAmongGoNodesAndStayBounded(t *testing.T) {
	c, a, b := aged(t, 4)
	known := []wire.Peer{{ID: a.id, Addr: a.addr}, {ID: b.id, Addr: b.addr}}
	for _, n := range c.nodes {
		known = append(known, wire.Peer{ID: n.members.Self().ID, Addr: n.members.Self().Addr})
	}
	rng := newTestRand(7)
	sent, events := c.nodes[0].Stats().SentDatagrams, len(c.nodes[1].events)
	const count = 4000 // in 20 s
	for i := range count {
		o := []*ancient{a, b}[i%2]
		o.say(babble(rng, known))
		core := c.nodes[0].Core
		jobs, tried := core.gateway.Load()
		if jobs > legacy.JobsMax || tried > legacy.AttemptsMax || core.hs.dials.Len() > legacy.AttemptsMax+legacy.LinksMax {
			t.Fatalf("%d jobs, %d addresses tried, %d handshakes", jobs, tried, core.hs.dials.Len())
		}
		a.heard, b.heard = nil, nil
	}
	c.net.RunFor(20 * time.Second)
	for i, n := range c.nodes {
		if n.members.CountGo() != len(c.nodes) {
			t.Errorf("node %d has %d Go nodes", i, n.members.CountGo())
		}
		for m := range n.members.Each {
			if m.Legacy() {
				continue
			}
			if m.State != wire.StateAlive {
				t.Errorf("node %d: a Go node is %s: %+v", i, m.State, m.Member)
			}
			if !slices.ContainsFunc(c.nodes, func(o *node) bool { return o.addr == m.Addr }) {
				t.Errorf("node %d: no node has the address: %+v", i, m.Member)
			}
		}
	}
	for _, e := range c.nodes[1].events[events:] {
		if e.Member.ID.IsGo() {
			t.Errorf("an event about a Go node: %s", fmt.Sprint(c.nodes[1].names()))
		}
	}
	if got := c.nodes[0].Stats().SentDatagrams - sent; got > 3*count {
		t.Errorf("%d datagrams were sent because of %d", got, count)
	}
	if jobs, _ := c.nodes[0].gateway.Load(); jobs > 10 {
		t.Errorf("%d jobs are still scheduled", jobs)
	}
}
