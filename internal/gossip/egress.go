package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what waits for one link (docs/DESIGN.md, "Bounds").
const (
	smallMax   = 1 << 20          // bytes of small messages
	bulkMax    = 4 << 20          // bytes of large ones still to be sent, beyond which no further one is begun
	bulkActive = 4                // large messages sent side by side; more wait their turn
	queueAge   = 30 * time.Second // what waits longer is dropped
	tailMin    = 10 * time.Millisecond
	tailProbes = 3
)

// Control and membership go out at once and are only counted. Small messages go out at once while the
// pacing allows, else they wait before all large ones. Large ones are read from their assemblies piece
// by piece, in turn.
type egress struct {
	pace   *pacing.Controller
	sent   uint64 // bytes of all datagrams
	small  []queued
	bytes  int // of small
	bulk   []*bulk
	turn   int
	sendAt time.Time // when the pacing lets the next datagram go; zero when nothing waits for that
	tailAt time.Time // when the next tail probe is due; zero for none
	tails  int       // tail probes sent since the last piece
}

// queued is the plaintext of a small message that waits.
type queued struct {
	plain []byte
	at    time.Time
}

// bulk is a large message on its way along one link.
type bulk struct {
	asm   *assembly
	use   wire.Use // of a direct message
	done  spans    // what the peer was sent, or has sent us and so has
	since time.Time
}

// full reports whether the link takes no further message of the application: the peer takes less than
// comes.
func (e *egress) full() bool {
	return e.bytes >= smallMax || e.backlog() >= bulkMax
}

// backlog is how many bytes of large messages wait.
func (e *egress) backlog() (n uint64) {
	for _, b := range e.bulk {
		n += uint64(b.asm.total - b.done.size())
	}
	return n
}

// queueSmall puts a plaintext behind those that wait.
func (e *egress) queueSmall(now time.Time, plain []byte) {
	e.small = append(e.small, queued{plain: plain, at: now})
	e.bytes += len(plain)
}

// smallMessage is one plaintext on its way along several links. The arena keeps it for repair; a copy
// is made only when a link cannot send it at once.
type smallMessage struct {
	plain  []byte
	off    uint64
	shared []byte
}

// newSmall is valid until the next call.
func (c *Core) newSmall(now time.Time, plain []byte) *smallMessage {
	c.smallMsg = smallMessage{plain: plain, off: c.arena.put(now, plain)}
	return &c.smallMsg
}

// sendSmall sends a small message to p, or queues it, or drops it when too much waits.
func (c *Core) sendSmall(now time.Time, p *peer, m *smallMessage) {
	if len(p.small) == 0 {
		ch := p.channel(now)
		if ch == nil {
			c.drop(DropUnknownSession)
			return
		}
		wait := p.pace.Wait(now, len(m.plain)+wire.BoxOverhead)
		if wait == 0 {
			c.transmit(now, ch, p.set.Path(), m.plain, sent{off: m.off, size: uint32(len(m.plain))})
			return
		}
		c.sendLater(now, p, wait)
	}
	if p.bytes >= smallMax {
		c.drop(DropQueueFull)
		return
	}
	if m.shared == nil {
		m.shared = append([]byte(nil), m.plain...)
	}
	p.queueSmall(now, m.shared)
}

// sendBulk begins to send a large message to p. has is what p has of it already.
func (c *Core) sendBulk(now time.Time, p *peer, a *assembly, use wire.Use) *bulk {
	b := &bulk{asm: a, use: use, since: now}
	p.bulk = append(p.bulk, b)
	a.pending++
	return b
}

// pump sends what waits for p as far as the pacing allows.
func (c *Core) pump(now time.Time, p *peer) {
	p.sendAt = time.Time{}
	ch := p.channel(now)
	if ch == nil {
		return
	}
	for {
		plain, what, ok := c.nextFor(now, p)
		if !ok {
			return
		}
		if wait := p.pace.Wait(now, len(plain)+wire.BoxOverhead); wait > 0 {
			c.sendLater(now, p, wait)
			return
		}
		c.transmit(now, ch, p.set.Path(), plain, what)
		p.took(now, what)
	}
}

func (c *Core) sendLater(now time.Time, p *peer, wait time.Duration) {
	if wait >= pacing.Forever {
		return // a report will come, or nothing ever
	}
	p.sendAt = now.Add(max(wait, minTick))
	c.timers.advance(&p.timer, p.sendAt)
}

// nextFor is the plaintext that is to go to p next. It stays where it is until took.
func (c *Core) nextFor(now time.Time, p *peer) (plain []byte, what sent, ok bool) {
	for len(p.small) > 0 {
		q := p.small[0]
		if now.Sub(q.at) <= queueAge {
			return q.plain, sent{off: c.arena.put(now, q.plain), size: uint32(len(q.plain))}, true
		}
		p.dropSmall()
		c.drop(DropQueueOld)
	}
	c.retire(now, p)
	active := min(len(p.bulk), bulkActive)
	for i := range active {
		b := p.bulk[(p.turn+i)%active]
		piece := b.asm.have.firstMissing(b.done)
		if piece.from == piece.to {
			continue
		}
		p.turn = (p.turn + i) % active
		return c.cut(p, b, piece)
	}
	return nil, sent{}, false
}

// cut makes the plaintext of as much of a piece as a datagram to p holds.
func (c *Core) cut(p *peer, b *bulk, piece span) ([]byte, sent, bool) {
	overhead := wire.FrameOverhead
	if b.asm.direct {
		overhead = wire.DirectOverhead
	}
	data := b.asm.piece(piece.from, min(piece.to, piece.from+uint32(c.room(p)-overhead)))
	piece.to = piece.from + uint32(len(data))
	if b.asm.direct {
		c.plain = wire.AppendDirect(c.plain[:0], b.asm.id, wire.Direct{Use: b.use, Total: b.asm.total, Offset: piece.from, Data: data})
	} else {
		c.plain = wire.AppendFrame(c.plain[:0], wire.Bin, b.asm.id, b.asm.total, piece.from, data)
	}
	return c.plain, sent{asm: b.asm, piece: piece}, true
}

// took takes what was sent out of the queue.
func (p *peer) took(now time.Time, what sent) {
	if what.asm == nil {
		p.dropSmall()
		return
	}
	for _, b := range p.bulk {
		if b.asm == what.asm {
			b.done.add(what.piece.from, what.piece.to)
			b.since = now
			what.asm.progress = now
		}
	}
	p.turn++
	p.tails = 0
	p.tailAt = now.Add(p.tailPause())
	p.core.timers.advance(&p.timer, p.tailAt)
}

// dropQueues lets go of the broadcasts that wait for a link that has ended. Direct messages go on.
func (p *peer) dropQueues() {
	p.bulk = slices.DeleteFunc(p.bulk, func(b *bulk) bool {
		if !b.asm.direct {
			b.asm.pending--
		}
		return !b.asm.direct
	})
}

func (p *peer) dropSmall() {
	p.bytes -= len(p.small[0].plain)
	p.small[0] = queued{}
	if p.small = p.small[1:]; len(p.small) == 0 {
		p.small = nil
	}
}

// retire ends what p has whole, what was forgotten, and what waits too long.
func (c *Core) retire(now time.Time, p *peer) {
	p.bulk = slices.DeleteFunc(p.bulk, func(b *bulk) bool {
		gone := b.asm.chunks == nil
		old := now.Sub(b.since) > queueAge
		if gone || old {
			c.drop(DropQueueOld)
		}
		if gone || old || b.done.covers(0, b.asm.total) {
			b.asm.pending--
			return true
		}
		return false
	})
}

// resendPiece puts a piece of a large message back among what is to be sent to p.
func (c *Core) resendPiece(p *peer, a *assembly, piece span) {
	if a.chunks == nil {
		c.drop(DropForgotten)
		return
	}
	c.stats.Resent++
	for _, b := range p.bulk {
		if b.asm == a {
			b.done.remove(piece.from, piece.to)
			return
		}
	}
	use := wire.UseMessage
	if o := c.sends[a.id]; a.direct && o != nil {
		use = o.use
	}
	b := c.sendBulk(c.now, p, a, use)
	b.done.add(0, a.total)
	b.done.remove(piece.from, piece.to)
}

// tailPause is how long after the last piece, or the last tail probe, the next probe goes out.
func (p *peer) tailPause() time.Duration { return max(2*p.roundTrip(), tailMin) << p.tails }

// tickEgress sends what may be sent by now, probes the tail, asks for what is missing and reports. It
// returns when it is next needed.
func (c *Core) tickEgress(now time.Time, p *peer) (next time.Time) {
	if !p.sendAt.IsZero() && !p.sendAt.After(now) {
		c.pump(now, p)
	}
	if !p.tailAt.IsZero() && !p.tailAt.After(now) {
		c.probeTail(now, p)
	}
	if p.reporting != nil && !p.reportAt.After(now) {
		c.report(now, p)
	}
	c.sendNaks(now, p)
	next = soonest(p.sendAt, p.tailAt)
	if p.reporting != nil {
		next = soonest(next, p.reportAt)
	}
	for _, ch := range p.channels {
		next = soonest(next, ch.NextNak(p.roundTrip()))
	}
	return next
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
