package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// bulk is a large message on its way along one link. It ends when the peer has reported all of it, or
// has sent it to us itself; until then the assembly is kept for repair.
type bulk struct {
	asm   *assembly
	use   wire.Use     // of a direct message
	done  rangeset.Set // what the peer was sent, or has sent us and so has
	asked bool         // the peer sent a Want for it
	begun bool         // a piece was sent, so that the peer counts it against us until it is whole there
	since time.Time
	ch    *channel // where the last piece went, under the counter last
	last  uint64
}

// whole reports whether nothing of it remains to be sent.
func (b *bulk) whole() bool { return b.done.Covers(0, b.asm.total) }

// next is the piece to be sent next; empty when there is none yet.
func (b *bulk) next() rangeset.Range { return b.asm.have.FirstMissing(b.done) }

// stalled reports whether the message stands still for want of bytes to send: a receiver lets such a
// one give way.
func (b *bulk) stalled(now time.Time) bool { return now.Sub(b.since) > stallGrace }

// sendBulk begins to send a large message to p.
func (c *Core) sendBulk(now time.Time, p *peer, a *assembly, use wire.Use) *bulk {
	b := &bulk{asm: a, use: use, since: now}
	if a.use = use; use == wire.UseControl { // before what may take long
		p.bulk = slices.Insert(p.bulk, 0, b)
	} else {
		p.bulk = append(p.bulk, b)
	}
	a.pending++
	return b
}

// carry puts the large messages that are on their way through this node on a link that is new. A peer
// that was deaf for a while gets what is still here for repair, too. Another that was a member already when a message
// came, and may have lost the links that told it of that, is told of it.
func (c *Core) carry(now time.Time, p *peer) {
	if p.legacy {
		return
	}
	m := c.members.Get(p.id)
	for _, a := range c.store.all {
		a.told = slices.DeleteFunc(a.told, func(o *peer) bool { return o == p }) // it has forgotten that
		switch {
		case !a.passed || p.bulkOf(a) != nil:
		case !a.complete() || a.pending > 0 || p.deaf:
			c.sendBulk(now, p, a, 0)
		case m != nil && m.Since.Before(a.began):
			c.mention(now, a, p)
		}
	}
	p.deaf = false
	c.pump(now, p)
}

// ask puts a message that the peer asked for before those that it did not ask for: it may have these from others.
func (p *peer) ask(b *bulk) {
	if b.asked {
		return
	}
	b.asked = true
	from := slices.Index(p.bulk, b)
	to := slices.IndexFunc(p.bulk, func(o *bulk) bool { return o == b || !o.asked })
	copy(p.bulk[to+1:from+1], p.bulk[to:from])
	p.bulk[to] = b
}

// redirect sends what was to go along a link that has ended along another, unless somebody has it already: a message
// that few links carry would end with them.
func (c *Core) redirect(now time.Time, p *peer) {
	for _, b := range p.bulk {
		if b.asm.direct || b.whole() || !b.asm.complete() || len(b.asm.owners) > 0 {
			continue
		}
		var to *peer
		for _, o := range c.links {
			if !o.legacy && o.bulkOf(b.asm) == nil && (to == nil || len(o.bulk) < len(to.bulk)) {
				to = o
			}
		}
		if to != nil {
			c.sendBulk(now, to, b.asm, 0)
			c.pump(now, to)
		}
	}
}

func (p *peer) bulkOf(a *assembly) *bulk {
	for _, b := range p.bulk {
		if b.asm == a {
			return b
		}
	}
	return nil
}

// sending reports whether something of a remains to be sent to p.
func (p *peer) sending(a *assembly) bool {
	b := p.bulkOf(a)
	return b != nil && !b.whole()
}

// nextBulk chooses the large message of which a piece goes next: the first few take turns. No more are
// begun than the peer takes, lest it refuse pieces, which nothing repairs.
func (p *peer) nextBulk(now time.Time) (next *bulk, piece rangeset.Range) {
	var budget budget
	for _, b := range p.bulk {
		if b.begun && !b.stalled(now) {
			budget.take(b.asm.total, b.done.Size())
		}
	}
	var ready [bulkActive]*bulk
	var pieces [bulkActive]rangeset.Range
	n := 0
	for _, b := range p.bulk {
		if !b.begun && !budget.allows(b.asm.total, incompleteSize/2) {
			continue
		}
		if !p.linked && !b.asm.direct && p.core.self.Live() { // who leaves still sends what it began
			continue
		}
		if pieces[n] = b.next(); pieces[n].From < pieces[n].To {
			ready[n] = b
			if n++; n == bulkActive {
				break
			}
		}
	}
	if n == 0 {
		return nil, rangeset.Range{}
	}
	i := p.turn % n
	return ready[i], pieces[i]
}

// cut makes the plaintext of a piece of a large message, as much of it as a datagram to p holds.
func (c *Core) cut(now time.Time, p *peer, b *bulk, piece rangeset.Range) (plain []byte, what sent) {
	overhead := wire.FrameOverhead
	if b.asm.direct {
		overhead = wire.DirectOverhead
	}
	if int(piece.To-piece.From) > c.room(p)-overhead {
		c.widen(now, p)
	}
	data := b.asm.piece(piece.From, min(piece.To, piece.From+uint32(c.room(p)-overhead)))
	piece.To = piece.From + uint32(len(data))
	if b.asm.direct {
		c.plain = wire.AppendDirect(c.plain[:0], b.asm.id, wire.Direct{Use: b.use, Total: b.asm.total, Offset: piece.From, Data: data})
	} else {
		c.plain = wire.AppendFrame(c.plain[:0], wire.Bin, b.asm.id, b.asm.total, piece.From, data)
	}
	return c.plain, sent{asm: b.asm, piece: piece}
}

// took notes that a piece went out.
func (p *peer) took(now time.Time, ch *channel, b *bulk, piece rangeset.Range) {
	b.done.Add(piece.From, piece.To)
	p.core.stats.FrameBytes += uint64(piece.To - piece.From)
	b.begun, b.since, b.ch, b.last = true, now, ch, ch.Sent()
	b.asm.progress = now
	p.turn++
	p.core.probeTailLater(now, p)
}

// has notes that p has a piece of a message that is passed on.
func (c *Core) has(now time.Time, p *peer, a *assembly, from, to uint32) {
	a.shown(p)
	b := p.bulkOf(a)
	if b == nil && !a.passed && p.wanted {
		b = c.sendBulk(now, p, a, 0)
	}
	if b != nil {
		b.done.Add(from, to)
	}
}

// parkedAge is how long a broadcast waits for a link that has ended to come back: a peer that was deaf
// for a while is taken for dead and returns.
const parkedAge = 10 * time.Second

// retire ends what p has had from elsewhere, what was forgotten, what waits too long, and what was sent
// so long ago that no report of it will come. It returns when it is next needed.
func (c *Core) retire(now time.Time, p *peer) (next time.Time) {
	p.bulk = slices.DeleteFunc(p.bulk, func(b *bulk) bool {
		from, most := p.waitsFrom(b.since), queueAge
		if !p.linked && !b.asm.direct {
			from, most = b.since, parkedAge
		}
		switch {
		case b.whole():
			if b.begun && b.asm.chunks != nil && now.Sub(b.since) <= sentHorizon {
				next = timer.Soonest(next, b.since.Add(sentHorizon+time.Millisecond))
				return false
			}
		case b.asm.chunks == nil || now.Sub(from) > most:
			if b.asm.passed || b.asm.direct {
				c.drop(DropQueueOld)
			}
		default:
			next = timer.Soonest(next, from.Add(most+time.Millisecond))
			return false
		}
		b.asm.pending--
		return true
	})
	return next
}

// dropBulk takes a message out of the queue.
func (p *peer) dropBulk(a *assembly) {
	p.bulk = slices.DeleteFunc(p.bulk, func(b *bulk) bool {
		if b.asm == a {
			a.pending--
		}
		return b.asm == a
	})
}
