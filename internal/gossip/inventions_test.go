package gossip

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// hand makes node 0 of a duo handle a plaintext of node 1, without a network between them.
func (c *cluster) hand(now time.Time, plain []byte) {
	c.t.Helper()
	n := c.nodes[0]
	p := n.peers[c.nodes[1].cfg.ID]
	n.delivery.Endpoint.BeginPacket()
	ch := p.Packets.Channel(now)
	n.hs.handlePlain(now, received{peer: p, channel: ch, from: p.Sessions.Path()}, plain)
	n.sender.SendSettled(now, &p.Peer, ch)
	ch.EndPacket(now)
	n.Events()
}

// inventedMember returns the alive entry of a node that does not exist.
func inventedMember(now time.Time, i, meta int) *wire.Member {
	id := wire.NodeID{6: 0x80, 8: 0x80}
	binary.BigEndian.PutUint32(id[1:5], uint32(i)*2654435761)
	binary.BigEndian.PutUint32(id[12:], uint32(i))
	at := uint64(now.UnixMilli())
	return &wire.Member{ID: id, Incarnation: at, Named: at, Name: fmt.Appendf(nil, "invented-%d", i), Meta: make([]byte, meta),
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2 + byte(i>>16), byte(i >> 8), byte(i)}), 6969)}
}

// handInvented hands node 0 a number of invented members, each with meta bytes of metadata.
func (c *cluster) handInvented(now time.Time, count, meta int) {
	for i := range count {
		w := wire.BeginSyncMembers(nil, wire.MessageID{})
		w.Append(inventedMember(now, i, meta), 1400)
		c.hand(now, w.End())
	}
}

func TestMembersThatAPeerInventsAreRationed(t *testing.T) {
	c := duo(t)
	n := c.nodes[0]
	c.do(0, func(now time.Time) {
		c.handInvented(now, 20_000, 0)
	})
	if s := n.Stats(); s.Members != 2+16_384 || s.Dropped[stats.DropOversize] < 20_000-16_384 {
		t.Errorf("%d members, %d refused, want 16386 of 20002", s.Members, s.Dropped[stats.DropOversize])
	}
}

// One member invents origins, direct messages and members as fast as it can. The node keeps a bounded amount of them.
func TestInventionsOfAMemberTakeABoundedPartOfMemory(t *testing.T) {
	const bound = 64 << 20
	c := duo(t)
	n := c.nodes[0]
	before := heap()
	c.do(0, func(now time.Time) {
		var id wire.MessageID
		id[6], id[8] = 0x80, 0x80
		for i := range 200_000 {
			now = now.Add(50 * time.Microsecond)
			binary.BigEndian.PutUint32(id[1:5], uint32(i))
			binary.BigEndian.PutUint64(id[8:], 16_000)
			c.hand(now, wire.AppendBroadcast(nil, wire.Bin, id, []byte("x")))
			c.hand(now, wire.AppendDirect(nil, id, wire.Direct{Total: 1, Data: []byte("x")}))
			w := wire.BeginSyncMembers(nil, wire.MessageID{})
			w.Append(inventedMember(now, i, 512), 1400)
			c.hand(now, w.End())
			n.Drain(now, func(wire.Path, []byte) {})
		}
	})
	grown := heap() - before
	t.Logf("%.1f MiB, %d members, %d origins", float64(grown)/(1<<20), n.members.Count(), n.broadcast.Disseminator.Seen.Origins())
	if grown > bound {
		t.Errorf("%d bytes more, want at most %d", grown, bound)
	}
	runtime.KeepAlive(n)
}

// An insider that fills the table with members that do not exist keeps no node out, and gets no further comparisons for it.
func TestTableFullOfInventedMembersKeepsNobodyOut(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.Memory.Members = 512 << 10 }
	c.add(3)
	c.form(2 * time.Second)
	c.net.RunFor(3 * time.Second)
	c.do(0, func(now time.Time) { c.handInvented(now, 3000, 0) })
	full := c.nodes[0].members.Count()
	if full > 1500 || !c.nodes[0].members.Crowded() {
		t.Fatalf("%d members do not fill the table", full)
	}
	c.add(2)
	c.join(3, 0)
	c.join(4, 3)
	c.net.RunFor(20 * time.Second)
	for i, n := range c.nodes[3:] {
		if len(n.links) == 0 {
			t.Errorf("node %d has no link", i+3)
		}
		for _, p := range n.links {
			for k, o := range c.nodes {
				if o.cfg.ID == p.ID && o.members.Named(n.cfg.Name) == nil {
					t.Errorf("node %d does not know node %d, with which it has a link", k, i+3)
				}
			}
		}
	}
	c.broadcast(0, "of a node with a full table", 5*time.Second)
	c.broadcast(4, "of a newcomer", 5*time.Second)
}

// Each node finds one invented member in 10 s (PROTOCOL.md V2). docs/SECURITY.md says why nodes do not look for more at once.
func TestInventedMembersEndAtThePaceOfPatrols(t *testing.T) {
	const nodes, invented = 6, 60
	for seed := range uint64(3) {
		c := newCluster(t, seed+1, lan())
		c.add(nodes)
		c.form(2 * time.Second)
		c.net.RunFor(5 * time.Second)
		c.do(0, func(now time.Time) { c.handInvented(now, invented, 0) })
		c.net.RunFor(5 * time.Second)
		if got := c.nodes[nodes-1].members.Count(); got < nodes+invented*9/10 {
			t.Fatalf("%d members, not many of which are invented", got)
		}
		began, half := c.net.Now(), time.Duration(0)
		for c.nodes[nodes-1].members.Count() > nodes && c.net.Now().Sub(began) < 10*time.Minute {
			c.net.RunFor(time.Second)
			if half == 0 && c.nodes[nodes-1].members.Count() <= nodes+invented/2 {
				half = c.net.Now().Sub(began)
			}
		}
		all := c.net.Now().Sub(began)
		t.Logf("half of them end within %v, all within %v", half, all)
		if pace := 10 * time.Second / nodes; half > invented*pace || all > 4*invented*pace {
			t.Errorf("half of them ended within %v, all within %v", half, all)
		}
	}
}
