package handshake

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// idle is a Host that does nothing, so that a benchmark measures handshakes alone.
type idle struct {
	peers    map[wire.NodeID]bool // sessions were made with; kept where the map is
	last     wire.Handshake
	identity []byte
	packets  int
}

func (h *idle) SendHandshake(_ wire.Path, x *wire.Handshake)         { h.last = *x }
func (h *idle) SendPacket(wire.Path, []byte)                         { h.packets++ }
func (h *idle) GoTeam(wire.HandshakeID, wire.NodeID)                 {}
func (h *idle) LegacyProbe(wire.Path, wire.HandshakeID, wire.NodeID) {}
func (h *idle) AttemptFailed(AttemptID, error)                       {}
func (h *idle) IsSelf(netip.AddrPort) bool                           { return false }
func (h *idle) ReachedSelf(AttemptID)                                {}
func (h *idle) AttemptSlow(AttemptID) (until time.Time)              { return until }
func (h *idle) Rejected(wire.Path, Reason)                           {}

func (h *idle) Established(e *Established) []byte {
	if h.peers != nil {
		h.peers[e.Peer] = true
	}
	return h.identity
}

func benchNode(n int) (*Endpoint, *idle) {
	h := &idle{identity: make([]byte, 600)}
	return New(Config{Node: goID(n), Keys: []Key{NewKey([]byte("secret"), "")}, AllowLegacy: true, Rand: newSeeded(uint64(n))}, h), h
}

// pass encodes what one side sent last and hands it to the other.
func pass(b *testing.B, now time.Time, from *idle, sender wire.NodeID, to *Endpoint, path wire.Path, buf []byte) []byte {
	buf = wire.AppendHandshake(buf[:0], 1, sender, &from.last)
	var p wire.Packet
	if err := wire.ParsePacket(&p, buf); err != nil {
		b.Fatal(err)
	}
	to.HandlePacket(now, path, &p)
	return buf
}

// BenchmarkHandshake is a whole bound handshake with its encoding: both sides, or one side only, the
// other's part being left out of the time.
func BenchmarkHandshake(b *testing.B) {
	for _, side := range []string{"both", "initiator", "responder"} {
		b.Run(side, func(b *testing.B) {
			one, h1 := benchNode(1)
			two, h2 := benchNode(2)
			var buf []byte
			now := epoch
			b.ReportAllocs()
			measure := func(which string) {
				if side == "both" || side == which {
					b.StartTimer()
				} else {
					b.StopTimer()
				}
			}
			for b.Loop() {
				now = now.Add(time.Millisecond)
				one.HandleTimeout(now)
				two.HandleTimeout(now)
				measure("initiator")
				one.Initiate(now, wire.Path{Remote: address(2)}, goID(2), now.Add(time.Second))
				measure("responder")
				buf = pass(b, now, h1, goID(1), two, wire.Path{Remote: address(1)}, buf)
				measure("initiator")
				buf = pass(b, now, h2, goID(2), one, wire.Path{Remote: address(2)}, buf)
				measure("responder")
				buf = pass(b, now, h1, goID(1), two, wire.Path{Remote: address(1)}, buf)
				measure("initiator")
				one.Confirm(now, h1.last.ID, goID(2))
				b.StartTimer()
			}
			if h2.packets != b.N {
				b.Fatalf("%d of %d", h2.packets, b.N)
			}
		})
	}
}

// BenchmarkForgedHello is what a Hello with four Hmacs under no key of ours costs: within the budget of
// verifications, and beyond it.
func BenchmarkForgedHello(b *testing.B) {
	for _, x := range []struct {
		name string
		step time.Duration
	}{{"verified", time.Millisecond}, {"over budget", 0}} {
		b.Run(x.name, func(b *testing.B) {
			e, _ := benchNode(1)
			forged := newForger().hello(epoch)
			now := epoch
			buf := make([]byte, len(forged))
			for range 3000 {
				var p wire.Packet
				if wire.ParsePacket(&p, append(buf[:0], forged...)) == nil {
					e.HandlePacket(now, wire.Path{Remote: address(3)}, &p)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(x.step)
				if now.Sub(epoch) > 50*time.Second {
					now = epoch
				}
				var p wire.Packet
				if err := wire.ParsePacket(&p, append(buf[:0], forged...)); err != nil {
					b.Fatal(err)
				}
				e.HandlePacket(now, wire.Path{Remote: address(3)}, &p)
			}
		})
	}
}
