package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// sentHorizon is how long what went out is remembered for repair, at most: five requests of a peer a
// second away come within it.
const sentHorizon = 10 * time.Second

// A channel is a session with a Go node and what is known of the datagrams in it.
type channel struct {
	*session.Session
	peer     *peer
	log      *session.SentLog[sent]
	base     uint64 // peer.sent when the channel was made: bytes of earlier ones count as arrived
	received uint64 // bytes of all datagrams opened
}

// sent is what one datagram carried: a small message in the arena, a piece of a large one, or nothing
// that would be sent again.
type sent struct {
	off      uint64    // of the plaintext in the arena; 0 for none
	size     uint32    // of the plaintext
	asm      *assembly // the large message; nil for none
	piece    span
	total    uint64 // peer.sent with this datagram
	reported bool   // a Nak named it
}

// transmit seals a plaintext in a channel, remembers what it was, and queues the datagram.
func (c *Core) transmit(now time.Time, ch *channel, to wire.Path, plain []byte, what sent) {
	before := len(c.out.buf)
	c.out.add(to, ch.Seal(now, c.out.buf, plain))
	n := len(c.out.buf) - before
	if n == 0 { // the session is closed, or its counters are used up
		c.out.list = c.out.list[:len(c.out.list)-1]
		c.drop(DropUnknownSession)
		return
	}
	p := ch.peer
	p.sent += uint64(n)
	what.total = p.sent
	ch.log.Put(ch.Sent(), now, n, what)
	p.pace.Sent(now, n)
}

// handleNak sends again what a peer did not get: small messages at once, pieces of large ones when
// their turn comes. What is no longer there is lost to it.
func (c *Core) handleNak(now time.Time, ch *channel, start, end uint32) {
	p := ch.peer
	if end-start > nakMax {
		c.drop(DropUnexpected)
		return
	}
	first := ch.Expand(start)
	lost := 0
	for n := first; n < first+uint64(end-start); n++ {
		w, _, size, ok := ch.log.Get(n)
		if !ok {
			continue
		}
		if !w.reported {
			w.reported = true
			lost += size
		}
		c.resend(now, p, w)
	}
	if lost > 0 {
		p.pace.Lost(now, lost)
	}
	c.pump(now, p)
}

// nakMax is the most counters that one Nak may name.
const nakMax = 4096

func (c *Core) resend(now time.Time, p *peer, w *sent) {
	switch {
	case w.asm != nil:
		c.resendPiece(p, w.asm, w.piece)
	case w.off != 0:
		if plain := c.arena.get(w.off, int(w.size)); plain != nil {
			c.stats.Resent++
			p.queueSmall(now, append([]byte(nil), plain...))
			return
		}
		c.drop(DropForgotten)
	}
}

// sendNaks asks for what is missing in the channels of p and due.
func (c *Core) sendNaks(now time.Time, p *peer) {
	for _, ch := range p.channels {
		if t := ch.NextNak(p.roundTrip()); t.IsZero() || t.After(now) {
			continue
		}
		c.plain = c.plain[:0]
		room := c.room(p) - nakSize
		ch.TakeNaks(now, p.roundTrip(), func(start, end uint64) bool {
			c.plain = wire.AppendNak(c.plain, c.newID(), uint32(start), uint32(end))
			c.stats.NaksSent++
			return len(c.plain) < room
		})
		if len(c.plain) > 0 {
			c.transmit(now, ch, p.set.Path(), c.plain, sent{})
		}
	}
}

// nakSize is the most bytes of one Nak.
const nakSize = 48

// Reports (docs/PROTOCOL.md, "Delivery reports").
const (
	reportBytes    = 16 << 10              // received before a report is worth a datagram
	reportInterval = 20 * time.Millisecond // at least between two, or a round trip if that is longer
)

// noteReceived counts a datagram for the delivery reports: while much comes, one per interval, and one
// after the last.
func (c *Core) noteReceived(now time.Time, ch *channel, n int) {
	ch.received += uint64(n)
	p := ch.peer
	p.unreported += n
	if p.unreported < reportBytes && p.reporting == nil {
		return
	}
	p.reporting = ch
	if !p.reportAt.After(now) {
		c.report(now, p)
		return
	}
	c.timers.advance(&p.timer, p.reportAt)
}

func (c *Core) report(now time.Time, p *peer) {
	ch := p.reporting
	if p.unreported < reportBytes {
		p.reporting = nil // the flow has ended: this is the last
	}
	p.unreported = 0
	p.reportAt = now.Add(max(reportInterval, p.roundTrip()))
	c.plain = wire.AppendReport(c.plain[:0], c.newID(), wire.Report{Highest: ch.Highest(), Lowest: ch.Lowest(),
		Bytes: ch.received, Delay: uint32(min(now.Sub(ch.HighestAt()), time.Minute).Microseconds())})
	c.transmit(now, ch, p.set.Path(), c.plain, sent{})
	if p.reporting != nil {
		c.timers.advance(&p.timer, p.reportAt)
	}
}

// handleReport lets the pacing know how much of what was sent has arrived, and how quickly.
func (c *Core) handleReport(now time.Time, ch *channel, data []byte) {
	r, err := wire.ParseReport(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	w, at, _, ok := ch.log.Get(r.Highest)
	if !ok || r.Bytes > ch.peer.sent-ch.base {
		return
	}
	p := ch.peer
	rtt := now.Sub(at) - time.Duration(r.Delay)*time.Microsecond
	p.pace.Report(now, pacing.Report{Delivered: ch.base + r.Bytes, InFlightSent: w.total, RTT: max(rtt, 0)})
	p.rtt = p.pace.RTT()
	c.pump(now, p)
}

// roundTrip is the round-trip time to p as far as it is known, or a guess.
func (p *peer) roundTrip() time.Duration {
	if p.rtt > 0 {
		return p.rtt
	}
	return guessedRTT
}

// guessedRTT stands for the round-trip time before any was measured.
const guessedRTT = 100 * time.Millisecond
