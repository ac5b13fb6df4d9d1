package gossip

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// padding is what the probes of a path are filled with.
var padding [pmtu.Max]byte

// risked is the last packet of which it is not known whether its path carries it. An empty Frame is sent after it, so
// that its loss is noticed although nothing else is sent.
type risked struct {
	ch     *channel // nil for none
	number uint64   // of the packet
	size   int      // bytes
}

// Path is the search for the largest datagram that the path to the peer carries. After an input to it the caller calls
// PathChanged.
func (p *packets) Path() *pmtu.Path { return &p.mtu }

// pathChanged follows an input to the path: it sets the timer.
func (p *packets) pathChanged(now time.Time) {
	if at := p.mtu.Due(now); !at.IsZero() {
		p.wakeAt(at)
	}
}

// SearchPath begins the search for the largest datagram of a new link.
func (p *packets) SearchPath(now time.Time, rng *rand.Rand) {
	p.mtu.LinkUp(now, rng)
	p.pathChanged(now)
}

// Moved forgets what is known of the path, because packets take another one.
func (p *packets) Moved(now time.Time) {
	p.mtu.Moved(now)
	p.risked = risked{}
}

// Widen looks for a larger size because something is to be sent that does not fit into the one in use.
func (p *packets) Widen(now time.Time) {
	if p.mtu.Widen(now) {
		p.pathChanged(now)
	}
}

// TickPath goes on with a search or a confirmation. It returns when it is next needed, and the size that was given up
// because its datagrams do not arrive; 0 for none.
func (p *packets) TickPath(now time.Time) (next time.Time, gaveUp int) {
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
func (p *packets) probePath(now time.Time, a pmtu.Actions) {
	ch := p.Channel(now)
	if ch == nil {
		return
	}
	e := p.endpoint
	empty := len(wire.AppendPing(nil, e.ids.Control(), wire.Ping{Seq: a.Seq}))
	pad := a.Probe - wire.BoxOverhead + wire.BoxSpare(uint32(ch.Sent()+1)) - empty - 1            // the head of the payload is a byte longer than that of none
	plain := wire.AppendPing(nil, e.ids.Control(), wire.Ping{Seq: a.Seq, Payload: padding[:pad]}) // too large for e.control, which stays
	before := len(e.out.Buffer())
	ch.transmit(now, p.sessions.Path(), plain, content{probe: true})
	p.mtu.ProbeSent(len(e.out.Buffer()) - before)
}

// PathAnswered takes in the sequence number of an Ack, and reports whether it answers a probe of the path.
func (p *packets) PathAnswered(now time.Time, seq uint64) bool {
	if !p.mtu.Answered(now, seq) {
		return false
	}
	p.pathChanged(now)
	return true
}

// TooBig ends the use, or the probing, of a size that the system itself refuses.
func (p *packets) TooBig(now time.Time, size int) {
	if p.mtu.Refused(now, size) {
		p.probeTailLater(now) // uncovers what was refused
	}
	p.pathChanged(now)
}

// risk sees to it that the loss of a packet is noticed, if its size may be too large for its path.
func (ch *channel) risk(now time.Time, size int) {
	p := ch.peer
	if p.mtu.Risky(now, size) {
		p.risked = risked{ch: ch, number: ch.Sent(), size: size}
		p.probeTailLater(now)
	}
}

// settleRisk ends the wait for the last packet that may have been too large, if the peer has received all below a number.
func (ch *channel) settleRisk(now time.Time, lowest uint64) {
	p := ch.peer
	r := p.risked
	if r.ch != ch || r.number >= lowest {
		return
	}
	p.risked = risked{}
	if what, _, _, ok := ch.log.Get(r.number); ok && !what.settled {
		p.mtu.Arrived(now, r.size)
		if len(p.transfers.list) == 0 {
			p.tail.at = time.Time{}
		}
	}
}
