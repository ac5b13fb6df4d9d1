package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the repair of losses (docs/PROTOCOL.md, "Loss repair").
const (
	nakMax     = session.WindowSize // counters that one Nak may name
	nakSize    = 48                 // bytes of one Nak at most
	tailMin    = 10 * time.Millisecond
	tailProbes = 3
)

// nakRoom is how many bytes of Naks, or of answers to them, one datagram has before the last: they go through any path.
const nakRoom = datagramMin - wire.BoxOverhead - 2*nakSize

// handleNak sends again what a peer did not get: small messages at once, pieces of large ones when
// their turn comes. Each counter is served once, for what goes out again has a counter of its own, and
// the peer is told not to ask for it any more. What is no longer there is lost to it.
func (c *Core) handleNak(now time.Time, ch *channel, start, end uint32) {
	p := ch.peer
	first := ch.Expand(start)
	after := first + uint64(end-start)
	if end-start > nakMax || after > ch.Sent()+1 || !c.drawn.mayNak(end-start) {
		c.drop(DropUnexpected)
		return
	}
	lost := 0
	for n := first; n < after; n++ {
		w, _, size, ok := ch.log.Get(n)
		if !ok {
			c.drop(DropForgotten)
			continue
		}
		if w.settled {
			continue
		}
		w.settled = true
		if !w.probe {
			lost += size
			c.lostMTU(now, p, size)
		}
		c.resend(now, p, w)
	}
	if lost > 0 {
		p.pace.Lost(now, lost)
	}
	c.settling = wire.AppendSettled(c.settling, c.newID(), wire.Settled{Start: start, End: end})
	if len(c.settling) > nakRoom {
		c.sendSettled(now, ch)
	}
}

// sendSettled answers the Naks of one datagram.
func (c *Core) sendSettled(now time.Time, ch *channel) {
	c.settling = c.appendChatter(c.settling, ch)
	c.transmit(now, ch, ch.peer.set.Path(), c.settling, sent{})
	c.settling = c.settling[:0]
	c.pump(now, ch.peer)
}

// appendChatter adds to a plaintext that the counters just before it carried nothing that would be sent
// again. So neither Naks nor what answers them are asked for when they are lost, and no such talk goes
// on without end, however much is lost.
func (c *Core) appendChatter(b []byte, ch *channel) []byte {
	n := min(ch.chatter, nakMax)
	if n == 0 {
		return b
	}
	after := ch.Sent() + 1
	return wire.AppendSettled(b, c.newID(), wire.Settled{Start: uint32(after - n), End: uint32(after)})
}

// handleSettled ends the wait for what the peer sent under other counters.
func (c *Core) handleSettled(ch *channel, data []byte) {
	s, err := wire.ParseSettled(data)
	switch n := s.End - s.Start; {
	case err != nil:
		c.drop(DropMalformedBody)
	case n > nakMax:
		c.drop(DropUnexpected)
	default:
		highest := ch.Highest()
		first := highest + uint64(int64(int32(s.Start-uint32(highest))))
		ch.Settle(first, first+uint64(n))
	}
}

// resend puts what one datagram carried back among what waits for p.
func (c *Core) resend(now time.Time, p *peer, w *sent) {
	switch {
	case w.asm != nil:
		c.resendPiece(now, p, w.asm, w.piece)
	case w.off != 0:
		c.resendSmall(now, p, w)
	}
}

// resendPiece puts a piece of a large message back among what is to be sent to p.
func (c *Core) resendPiece(now time.Time, p *peer, a *assembly, piece rangeset.Range) {
	if a.chunks == nil {
		c.drop(DropForgotten)
		return
	}
	c.stats.Resent++
	b := p.bulkOf(a)
	if b == nil {
		b = c.sendBulk(now, p, a, a.use)
		b.begun = true
		b.done.Add(0, a.total)
	}
	b.done.Remove(piece.From, piece.To)
}

// sendNaks asks for what is missing in the channels of p and due.
func (c *Core) sendNaks(now time.Time, p *peer) {
	for _, ch := range p.channels {
		if t := ch.NextNak(p.roundTrip()); t.IsZero() || t.After(now) {
			continue
		}
		c.plain = c.plain[:0]
		ch.TakeNaks(now, p.roundTrip(), func(start, end uint64) bool {
			c.plain = wire.AppendNak(c.plain, c.newID(), uint32(start), uint32(end))
			c.stats.NaksSent++
			return len(c.plain) < nakRoom
		})
		if len(c.plain) > 0 {
			c.plain = c.appendChatter(c.plain, ch)
			c.transmit(now, ch, p.set.Path(), c.plain, sent{})
		}
	}
}

// askMissing sends the Naks that are due, and lets the timer see to those that will be.
func (c *Core) askMissing(now time.Time, ch *channel) {
	p := ch.peer
	at := ch.NextNak(p.roundTrip())
	switch {
	case at.IsZero():
	case at.After(now):
		c.timers.Advance(&p.timer, at)
	default:
		c.sendNaks(now, p)
	}
}

// tailPause is how long after the last piece, or the last tail probe, the next probe goes out.
func (p *peer) tailPause() time.Duration { return max(2*p.roundTrip(), tailMin) << p.tails }

// probeTailLater has an empty Frame follow what was just sent.
func (c *Core) probeTailLater(now time.Time, p *peer) {
	p.tails = 0
	p.tailAt = now.Add(p.tailPause())
	c.timers.Advance(&p.timer, p.tailAt)
}

// probeTail sends an empty Frame after the last piece: its counter uncovers the loss of what was last.
func (c *Core) probeTail(now time.Time, p *peer) {
	p.tails++
	p.tailAt = time.Time{}
	if p.tails < tailProbes {
		p.tailAt = now.Add(p.tailPause())
	}
	if ch := p.channel(now); ch != nil {
		c.plain = wire.AppendFrame(c.plain[:0], wire.Bin, c.newID(), 0, 0, nil)
		c.transmit(now, ch, p.set.Path(), c.plain, sent{})
	}
}
