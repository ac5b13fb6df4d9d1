package peer

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// padding fills the path probes.
var padding [pmtu.Max]byte

// Path returns the path to the peer. The peer owns it.
func (p *Peer) Path() *pmtu.Path { return &p.mtu }

// pathChanged sets the timer. It is called after each input to the path.
func (p *Peer) pathChanged(now time.Time) {
	if at := p.mtu.Due(now); !at.IsZero() {
		p.wakeAt(at)
	}
}

// SearchPath begins the search for the largest datagram of a new link.
func (p *Peer) SearchPath(now time.Time, rng *rand.Rand) {
	p.mtu.LinkUp(now, rng)
	p.pathChanged(now)
}

// Moved discards the state of the path because packets now take another one.
func (p *Peer) Moved(now time.Time) {
	p.mtu.Moved(now)
	p.risked = risked{}
}

// Widen searches for a larger size because a message does not fit into the current one.
func (p *Peer) Widen(now time.Time) {
	if p.mtu.Widen(now) {
		p.pathChanged(now)
	}
}

// TickPath continues a search or a confirmation. It returns the time of the next call, and the size that was given up
// because its datagrams no longer arrive, or 0.
func (p *Peer) TickPath(now time.Time) (next time.Time, gaveUp int) {
	a := p.mtu.Tick(now, p.RoundTrip())
	if a.GivenUp != 0 {
		p.endpoint.stats.PathsShrunk++
	}
	p.pathChanged(now)
	if a.Probe != 0 {
		p.probePath(now, a)
	}
	return p.mtu.NextTimeout(), a.GivenUp
}

// probePath sends a padded Ping. Its loss says nothing about the rate.
func (p *Peer) probePath(now time.Time, a pmtu.Actions) {
	ch := p.Channel(now)
	if ch == nil {
		return
	}
	e := p.endpoint
	empty := len(wire.AppendPing(nil, wire.KindPing, e.cfg.IDs.Control(), wire.Ping{Seq: a.Seq}))
	pad := a.Probe - wire.BoxOverhead + wire.BoxSpare(uint32(ch.Sent()+1)) - empty - 1                               // a payload's header is one byte longer than that of an empty one
	plain := wire.AppendPing(nil, wire.KindPing, e.cfg.IDs.Control(), wire.Ping{Seq: a.Seq, Payload: padding[:pad]}) // too large for e.control, which is kept
	before := len(e.cfg.Out.Buffer())
	ch.transmit(now, p.sessions.Path(), plain, content{probe: true})
	p.mtu.ProbeSent(len(e.cfg.Out.Buffer()) - before)
}

// PathAnswered processes the sequence number of an Ack and reports whether it answers a path probe.
func (p *Peer) PathAnswered(now time.Time, seq uint64) bool {
	if !p.mtu.Answered(now, seq) {
		return false
	}
	p.pathChanged(now)
	return true
}

// TooBig stops using or probing a size because the operating system refused it.
func (p *Peer) TooBig(now time.Time, size int) {
	if p.mtu.Refused(now, size) {
		p.probeTailLater(now) // reveals the loss of the refused packet
	}
	p.pathChanged(now)
}
