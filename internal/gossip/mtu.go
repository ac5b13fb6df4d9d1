package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// This file connects the path MTU of each peer (internal/pmtu) with its timer, the log and its packets.

// DatagramProbed is the largest datagram that is probed for beyond the configured size.
const DatagramProbed = pmtu.Probed

var padding [pmtu.Max]byte

// risked is the last datagram of which it is not known whether its path carries it. An empty Frame goes after it, so
// that its loss is noticed although nothing else is sent.
type risked struct {
	ch      *channel // nil for none
	counter uint64
	size    int // bytes
}

// mtuLinkUp begins the search for the largest datagram of a new link.
func (c *Core) mtuLinkUp(now time.Time, p *peer) {
	p.mtu.LinkUp(now, c.rng)
	c.mtuChanged(now, p)
}

// mtuChanged follows an input to the path MTU of p: it sets the timer and writes what was found.
func (c *Core) mtuChanged(now time.Time, p *peer) {
	if size, ok := p.mtu.Found(); ok {
		c.log(now, logbook.Path, "datagrams of %d bytes reach %s", size, c.whoIs(p.id))
	}
	if at := p.mtu.Due(now); !at.IsZero() {
		c.timers.Advance(&p.timer, at)
	}
}

// widen looks for a larger size because something is to be sent that does not fit into the one in use.
func (c *Core) widen(now time.Time, p *peer) {
	if p.mtu.Widen(now) {
		c.mtuChanged(now, p)
	}
}

// tickMTU goes on with a search or a confirmation. It returns when it is next needed.
func (c *Core) tickMTU(now time.Time, p *peer) time.Time {
	a := p.mtu.Tick(now, p.roundTrip())
	if a.GivenUp != 0 {
		c.stats.PathsShrunk++
		c.warn(now, "mtu", "datagrams of %d bytes to %s do not arrive: going on with %d", a.GivenUp, c.whoIs(p.id), p.mtu.Size())
	}
	c.mtuChanged(now, p)
	if a.Probe != 0 {
		c.probeMTU(now, p, a)
	}
	return p.mtu.NextTimeout()
}

// probeMTU sends a padded Ping. That it is lost says nothing of the rate.
func (c *Core) probeMTU(now time.Time, p *peer, a pmtu.Actions) {
	ch := p.channel(now)
	if ch == nil {
		return
	}
	empty := len(wire.AppendPing(nil, c.newID(), wire.Ping{Seq: a.Seq}))
	pad := a.Probe - wire.BoxOverhead + wire.BoxSpare(uint32(ch.Sent()+1)) - empty - 1      // the head of the payload is a byte longer than that of none
	plain := wire.AppendPing(nil, c.newID(), wire.Ping{Seq: a.Seq, Payload: padding[:pad]}) // too large for c.plain, which stays
	before := len(c.out.Buffer())
	c.transmit(now, ch, p.set.Path(), plain, sent{probe: true})
	p.mtu.ProbeSent(len(c.out.Buffer()) - before)
}

// answeredMTU takes the answer to a probe, and reports whether it is one.
func (c *Core) answeredMTU(now time.Time, p *peer, seq uint64) bool {
	if !p.mtu.Answered(now, seq) {
		return false
	}
	c.mtuChanged(now, p)
	return true
}

// lostMTU notes that a datagram of so many bytes was lost.
func (c *Core) lostMTU(now time.Time, p *peer, size int) {
	p.mtu.Lost(now, size)
	c.mtuChanged(now, p)
}

// riskMTU sees to it that the loss of a datagram is noticed, if its size may be too large for its path.
func (c *Core) riskMTU(now time.Time, ch *channel, size int) {
	p := ch.peer
	if p.mtu.Risky(now, size) {
		p.risked = risked{ch: ch, counter: ch.Sent(), size: size}
		c.probeTailLater(now, p)
	}
}

// settleRisk ends the wait for the last datagram that may have been too large, if the peer has had all below a counter.
func (c *Core) settleRisk(now time.Time, ch *channel, lowest uint64) {
	p := ch.peer
	r := p.risked
	if r.ch != ch || r.counter >= lowest {
		return
	}
	p.risked = risked{}
	if w, _, _, ok := ch.log.Get(r.counter); ok && !w.settled {
		p.mtu.Arrived(now, r.size)
		if len(p.bulk) == 0 {
			p.tailAt = time.Time{}
		}
	}
}

// Refused notes that the system did not take a datagram. One that is too big for its path makes those to
// its peer smaller, down to what any path carries (the answer of RFC 8899 to a local verdict); for any
// other reason sending pauses for a moment. It is no loss: nothing is said about the path.
func (c *Core) Refused(now time.Time, to wire.Path, size int, tooBig bool) {
	for _, p := range c.peersAt(to) {
		if tooBig {
			c.tooBig(now, p, size)
		} else if p.linked {
			p.pace.Backoff(now)
		}
	}
}

// tooBig ends the use, or the probing, of a size that the system itself refuses.
func (c *Core) tooBig(now time.Time, p *peer, size int) {
	if p.mtu.Refused(now, size) {
		c.probeTailLater(now, p) // uncovers what was refused
	}
	c.mtuChanged(now, p)
}

// peersAt is the Go nodes that are sent to at an address.
func (c *Core) peersAt(to wire.Path) (found []*peer) {
	for _, p := range c.peers {
		if !p.legacy && p.set.Path().Remote == to.Remote {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *peer) int { return slices.Compare(a.id[:], b.id[:]) })
	return found
}
