package handshake

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// idle is an Endpoint with a user that does as little as possible, so that a benchmark measures only handshakes.
type idle struct {
	*Endpoint
	outcomes []Outcome
	peers    map[wire.NodeID]bool // peers with a session; only on the nodes that have the map
	last     wire.Handshake
	identity []byte
	packets  int
}

func (h *idle) initiate(now time.Time, to wire.Path, peer wire.NodeID, until time.Time) {
	_, out := h.Initiate(h.outcomes[:0], now, to, peer, until)
	h.work(now, out)
}

func (h *idle) handle(now time.Time, from wire.Path, p *wire.Packet) {
	h.work(now, h.HandlePacket(h.outcomes[:0], now, from, p))
}

func (h *idle) timeout(now time.Time) {
	for range h.timers.Len() { // at most this many are due
		h.work(now, h.HandleTimeout(h.outcomes[:0], now))
	}
}

func (h *idle) work(now time.Time, out []Outcome) {
	for i := 0; i < len(out); i++ {
		switch o := &out[i]; o.Kind {
		case SendHandshake:
			h.last = *o.Message
		case SendPacket:
			h.packets++
		case SessionEstablished:
			if h.peers != nil {
				h.peers[o.Session.Peer] = true
			}
			out = h.Introduce(out, now, o.Session, h.identity)
		}
	}
	h.outcomes = out
}

func benchNode(n int) *idle {
	own := selfOf(n, nodeid.X25519)
	return &idle{
		Endpoint: New(Config{Node: own.Node, Secret: own.Secret, Keys: []Key{NewKey([]byte("secret"), "")}, AllowLegacy: true, Rand: newSeeded(uint64(n))}),
		identity: make([]byte, 600),
	}
}

// pass encodes the last packet of one side and passes it to the other side.
func pass(b *testing.B, now time.Time, from *idle, sender wire.NodeID, to *idle, path wire.Path, buf []byte) []byte {
	buf = wire.AppendHandshake(buf[:0], 1, sender, &from.last)
	var p wire.Packet
	if err := wire.ParsePacket(&p, buf); err != nil {
		b.Fatal(err)
	}
	to.handle(now, path, &p)
	return buf
}

// BenchmarkHandshake measures a whole bound handshake with its encoding: both sides, or only one side, with the
// time of the other side excluded.
func BenchmarkHandshake(b *testing.B) {
	for _, side := range []string{"both", "initiator", "responder"} {
		b.Run(side, func(b *testing.B) {
			one := benchNode(1)
			two := benchNode(2)
			first, second := goID(1), goID(2)
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
				one.timeout(now)
				two.timeout(now)
				measure("initiator")
				one.initiate(now, wire.Path{Remote: address(2)}, second, now.Add(time.Second))
				measure("responder")
				buf = pass(b, now, one, first, two, wire.Path{Remote: address(1)}, buf)
				measure("initiator")
				buf = pass(b, now, two, second, one, wire.Path{Remote: address(2)}, buf)
				measure("responder")
				buf = pass(b, now, one, first, two, wire.Path{Remote: address(1)}, buf)
				measure("initiator")
				one.Confirm(now, one.last.ID, second)
				b.StartTimer()
			}
			if two.packets != b.N {
				b.Fatalf("%d of %d", two.packets, b.N)
			}
		})
	}
}

// BenchmarkForgedHello measures the cost of a Hello with four Hmacs under unknown keys, within the budget of
// verifications and beyond it.
func BenchmarkForgedHello(b *testing.B) {
	for _, x := range []struct {
		name string
		step time.Duration
	}{{"verified", time.Millisecond}, {"over budget", 0}} {
		b.Run(x.name, func(b *testing.B) {
			e := benchNode(1)
			forged := newForger().hello(epoch)
			now := epoch
			buf := make([]byte, len(forged))
			for range 3000 {
				var p wire.Packet
				if wire.ParsePacket(&p, append(buf[:0], forged...)) == nil {
					e.handle(now, wire.Path{Remote: address(3)}, &p)
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
				e.handle(now, wire.Path{Remote: address(3)}, &p)
			}
		})
	}
}
