package peer

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// padding is what the probes of a path are filled with.
var padding [pmtu.Max]byte

// Path returns what is known of the path to the peer.
func (p *Peer) Path() *pmtu.Path { return &p.mtu }

// pathChanged follows an input to the path: it sets the timer.
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

// Moved forgets what is known of the path, because packets take another one.
func (p *Peer) Moved(now time.Time) {
	p.mtu.Moved(now)
	p.risked = risked{}
}

// Widen looks for a larger size because something is to be sent that does not fit into the one in use.
func (p *Peer) Widen(now time.Time) {
	if p.mtu.Widen(now) {
		p.pathChanged(now)
	}
}

// TickPath goes on with a search or a confirmation. It returns when it is next needed, and the size that was given up
// because its datagrams do not arrive; 0 for none.
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
	empty := len(wire.AppendPing(nil, e.cfg.IDs.Control(), wire.Ping{Seq: a.Seq}))
	pad := a.Probe - wire.BoxOverhead + wire.BoxSpare(uint32(ch.Sent()+1)) - empty - 1                // the head of the payload is a byte longer than that of none
	plain := wire.AppendPing(nil, e.cfg.IDs.Control(), wire.Ping{Seq: a.Seq, Payload: padding[:pad]}) // too large for e.control, which stays
	before := len(e.cfg.Out.Buffer())
	ch.transmit(now, p.sessions.Path(), plain, content{probe: true})
	p.mtu.ProbeSent(len(e.cfg.Out.Buffer()) - before)
}

// PathAnswered takes in the sequence number of an Ack, and reports whether it answers a probe of the path.
func (p *Peer) PathAnswered(now time.Time, seq uint64) bool {
	if !p.mtu.Answered(now, seq) {
		return false
	}
	p.pathChanged(now)
	return true
}

// TooBig ends the use, or the probing, of a size that the system itself refuses.
func (p *Peer) TooBig(now time.Time, size int) {
	if p.mtu.Refused(now, size) {
		p.probeTailLater(now) // uncovers what was refused
	}
	p.pathChanged(now)
}
