package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what waits for one link (docs/DESIGN.md, "Bounds").
const (
	smallOwn   = 128 << 10        // bytes of small messages beyond which our own are refused: room is kept to pass on those of others
	smallLazy  = 2 << 20          // bytes of them beyond which messages of others are announced only
	smallMax   = 4 << 20          // bytes of them
	bulkMax    = 4 << 20          // bytes of large ones that are here to be sent, beyond which no further one is begun
	ownAhead   = bulkMax          // bytes of our own that the peer has not reported, beyond which no further one is begun
	bulkCount  = incompleteCount  // large messages: more a peer does not take at once
	bulkActive = 4                // of which pieces are sent in turn
	queueAge   = 30 * time.Second // what waits longer is dropped, unless the peer reports meanwhile that it gets what was sent
)

// Control and membership go out at once and are only counted. Small messages go out at once while the
// pacing allows, else they wait before all large ones. Large ones are read from their assemblies piece
// by piece, in turn.
type egress struct {
	pace     *pacing.Controller
	sent     uint64    // bytes of all datagrams
	moved    time.Time // when the peer last reported what came
	open     []stored  // the small messages of a datagram that is not sealed yet
	openSize int       // bytes of its plaintext
	urgent   []queued  // small messages that the peer lacks: they go before the others
	small    []queued
	bytes    int                         // of both
	spared   map[wire.MessageID]struct{} // broadcasts the peer has, some of them in small
	bulk     []*bulk
	turn     int
	sendAt   time.Time // when the pacing lets the next datagram go; zero when nothing waits for that
	tailAt   time.Time // when the next tail probe is due; zero for none
	tails    int       // tail probes sent since the last piece
	ahead    ahead
}

// ahead is what small messages may take of the rate while large ones use it up: a quarter of it, so
// that they wait for none of them. What they send is counted, and so slows the large ones down.
type ahead struct {
	level float64 // bytes
	at    time.Time
}

// aheadMax is the most that may go ahead at once, in bytes.
const aheadMax = 16 << 10

func (a *ahead) take(now time.Time, rate float64, n int) bool {
	a.level = min(a.level+rate/4*now.Sub(a.at).Seconds(), aheadMax)
	a.at = now
	if a.level < float64(n) {
		return false
	}
	a.level -= float64(n)
	return true
}

// stale reports whether what waits since a time has waited too long: the queue has not moved for queueAge. As long
// as the peer reports what it gets, however slowly, its turn will come.
func (e *egress) stale(now, since time.Time) bool { return now.Sub(e.waitsFrom(since)) > queueAge }

// waitsFrom is when the queue last moved, or since if that is later.
func (e *egress) waitsFrom(since time.Time) time.Time {
	if e.moved.After(since) {
		return e.moved
	}
	return since
}

// full reports whether the link takes no further message of that kind: the peer takes less than comes.
func (e *egress) full(large bool) bool {
	if !large {
		return e.bytes >= smallOwn
	}
	if len(e.bulk) >= bulkCount {
		return true
	}
	waiting, ours := 0, 0
	for _, b := range e.bulk {
		waiting += int(b.asm.have.Size() - min(b.done.Size(), b.asm.have.Size()))
		if b.asm.ours {
			ours += b.asm.bytes
		}
	}
	return waiting >= bulkMax || ours >= ownAhead
}

// smallMessage is one plaintext on its way along several links. The arena keeps it for those that cannot send it at
// once, and for repair.
type smallMessage struct {
	plain []byte
	off   uint64
	told  bool // it was announced, and so can be asked for
}

// stored is where it lies.
func (m *smallMessage) stored() stored { return stored{m.off, uint32(len(m.plain))} }

// newSmall makes a small message of a plaintext, which may be scratch. It is valid until the next call.
func (c *Core) newSmall(now time.Time, plain []byte) *smallMessage {
	return c.smallMsg.set(now, &c.arena, plain)
}

func (m *smallMessage) set(now time.Time, a *arena, plain []byte) *smallMessage {
	off := a.put(now, plain)
	*m = smallMessage{plain: a.get(off, len(plain)), off: off}
	return m
}

// lags reports whether a link has small messages that wait.
func (c *Core) lags() bool {
	return slices.ContainsFunc(c.links, func(p *peer) bool { return p.waits() > 0 })
}

// sendSmall sends a small message to p, or queues it, or drops it when too much waits.
func (c *Core) sendSmall(now time.Time, p *peer, m *smallMessage) {
	if len(m.plain) > c.room(p) {
		c.recut(now, p, m.plain)
		c.pump(now, p)
		return
	}
	if p.waits() == 0 && c.enclose(now, p, m) {
		return
	}
	if p.bytes >= smallMax {
		p.purge(&c.arena)
	}
	if p.bytes >= smallMax {
		c.drop(DropQueueFull)
		return
	}
	p.queueSmall(now, m.stored())
}

// pumpSoon has the timer of p send what waits, for callers in the midst of something.
func (c *Core) pumpSoon(now time.Time, p *peer) {
	p.sendAt = now
	c.timers.Advance(&p.timer, now)
}

// pump sends what waits for p as far as the pacing allows.
func (c *Core) pump(now time.Time, p *peer) {
	if !p.sendAt.IsZero() && now.After(p.sendAt) {
		p.pace.Late(now, now.Sub(p.sendAt))
	}
	p.sendAt = time.Time{}
	c.sealOpen(now, p)
	ch := p.channel(now)
	for ch != nil && c.pumpOne(now, p, ch) {
	}
}

// pumpOne sends the next datagram, and reports whether there was one and it could go.
func (c *Core) pumpOne(now time.Time, p *peer, ch *channel) bool {
	if p.waits() > 0 {
		if went := c.pumpSmall(now, p, ch); went || p.waits() > 0 {
			return went
		}
	}
	b, piece := p.nextBulk(now)
	if b == nil || !c.maySend(now, p, min(int(piece.To-piece.From)+wire.DirectOverhead, c.room(p))) {
		return false
	}
	plain, what := c.cut(now, p, b, piece)
	c.transmit(now, ch, p.set.Path(), plain, what)
	p.took(now, ch, b, what.piece)
	return true
}

// maySend reports whether the pacing lets a plaintext of n bytes go now; if not the timer is set.
func (c *Core) maySend(now time.Time, p *peer, n int) bool {
	wait := p.pace.Wait(now, n+wire.BoxOverhead)
	if wait > 0 {
		c.sendLater(now, p, wait)
	}
	return wait == 0
}

// maySendSmall is maySend for n bytes of small messages, in a datagram that holds some already.
func (c *Core) maySendSmall(now time.Time, p *peer, some, n int) bool {
	if some == 0 {
		n += wire.BoxOverhead
	}
	wait := p.pace.Wait(now, some+n)
	if wait == 0 || len(p.bulk) > 0 && p.ahead.take(now, p.pace.Rate(), n) {
		return true
	}
	c.sendLater(now, p, wait)
	if p.tailAt.IsZero() { // the report that we wait for may have been lost
		c.probeTailLater(now, p)
	}
	return false
}

func (c *Core) sendLater(now time.Time, p *peer, wait time.Duration) {
	p.sendAt = now.Add(max(wait, timer.MinTick))
	c.timers.Advance(&p.timer, p.sendAt)
}

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
	next = timer.Soonest(p.tickLog(now), c.retire(now, p))
	next = timer.Soonest(next, timer.Soonest(p.sendAt, p.tailAt))
	if p.reporting != nil {
		next = timer.Soonest(next, p.reportAt)
	}
	for _, ch := range p.channels {
		next = timer.Soonest(next, ch.NextNak(p.roundTrip()))
	}
	return next
}
