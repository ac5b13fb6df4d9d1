package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what is queued for one peer (docs/DESIGN.md, "Bounds").
const (
	smallOwn = 128 << 10        // bytes of small messages beyond which messages of this node are refused
	smallMax = 4 << 20          // bytes of small messages
	queueAge = 30 * time.Second // what waits longer is dropped, unless the peer reports meanwhile that it receives what was sent
)

// ahead is what small messages may take of the rate while large ones use it up: a quarter of it, so that they wait for
// none of them. What they send is counted, and so slows the large ones down.
type ahead struct {
	level float64 // bytes
	at    time.Time
}

// aheadMax is the most bytes that may be sent ahead at once.
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

// stale reports whether a message has waited too long, since a given time: the queue has not moved for queueAge. As
// long as the peer reports what it receives, however slowly, the message's turn will come.
func (p *packets) stale(now, since time.Time) bool { return now.Sub(p.waitsFrom(since)) > queueAge }

// waitsFrom is when the queue last moved, or since if that is later.
func (p *packets) waitsFrom(since time.Time) time.Time {
	if p.moved.After(since) {
		return p.moved
	}
	return since
}

// Full reports whether no further message of this node is to be queued for the peer, which takes less than comes.
func (p *packets) Full(large bool) bool {
	if large {
		return p.transfers.full()
	}
	return p.queue.bytes >= smallOwn
}

// sending is what became of a small message.
type sending uint8

const (
	sendingOpened  sending = iota // it is in the open datagram
	sendingQueued                 // it is in the queue
	sendingDropped                // too much is queued
	sendingUnfit                  // nothing: no datagram to the peer holds it
)

// Send sends a small message, whose plaintext is in the arena, or queues it, or drops it when too much is queued.
func (p *packets) Send(now time.Time, s stored) sending {
	switch {
	case int(s.size) > p.Room():
		return sendingUnfit
	case p.queue.len() == 0 && p.enclose(now, s):
		return sendingOpened
	}
	if p.queue.bytes >= smallMax {
		p.queue.purge(p.endpoint.arena)
	}
	if p.queue.bytes >= smallMax {
		p.endpoint.stats.QueueFull++
		return sendingDropped
	}
	p.queue.add(now, s)
	return sendingQueued
}

// SendUrgent is Send for a message that the peer asked for. It goes before others that are queued.
func (p *packets) SendUrgent(now time.Time, s stored) sending {
	switch {
	case int(s.size) > p.Room():
		return sendingUnfit
	case p.queue.len() == 0 && p.enclose(now, s):
		return sendingOpened
	case p.queue.bytes >= smallMax:
		p.endpoint.stats.QueueFull++
		return sendingDropped
	}
	p.queue.addUrgent(now, s)
	return sendingQueued
}

// PumpSoon has the timer send what is queued, for callers in the midst of something.
func (p *packets) PumpSoon(now time.Time) {
	p.sendAt = now
	p.wakeAt(now)
}

// PumpDue reports whether the time has come for which the pacing has put off what is queued.
func (p *packets) PumpDue(now time.Time) bool { return !p.sendAt.IsZero() && !p.sendAt.After(now) }

// Pump sends what is queued, as far as the pacing allows. live says that this node has not left. If Pump returns a small
// message, the message is the first of the queue and no datagram holds it: the caller queues it in pieces, and then calls
// PumpOn.
func (p *packets) Pump(now time.Time, live bool) (unfit []byte) {
	if !p.sendAt.IsZero() && now.After(p.sendAt) {
		p.pace.Late(now, now.Sub(p.sendAt))
	}
	p.sendAt = time.Time{}
	p.Seal(now)
	return p.pump(now, live)
}

// PumpOn takes the first message out of the queue and goes on as Pump does.
func (p *packets) PumpOn(now time.Time, live bool) (unfit []byte) {
	p.queue.drop(1)
	return p.pump(now, live)
}

func (p *packets) pump(now time.Time, live bool) (unfit []byte) {
	ch := p.Channel(now)
	if ch == nil {
		return nil
	}
	for went := true; went && unfit == nil; {
		went, unfit = p.pumpOne(now, ch, live)
	}
	return unfit
}

// pumpOne sends the next datagram, and reports whether there was one and it could go.
func (p *packets) pumpOne(now time.Time, ch *channel, live bool) (went bool, unfit []byte) {
	if p.queue.len() > 0 {
		if went, unfit = p.sendQueued(now, ch); went || unfit != nil || p.queue.len() > 0 {
			return went, unfit
		}
	}
	t, piece := p.transfers.next(now, p.linked || !live)
	if t == nil || !p.maySend(now, min(int(piece.To-piece.From)+wire.DirectOverhead, p.Room())) {
		return false, nil
	}
	plain, what := p.cut(now, t, piece)
	ch.transmit(now, p.sessions.Path(), plain, what)
	p.sentPiece(now, ch, t, what.piece)
	return true, nil
}

// maySend reports whether the pacing lets a plaintext of n bytes go now. If not, the timer is set.
func (p *packets) maySend(now time.Time, n int) bool {
	wait := p.pace.Wait(now, n+wire.BoxOverhead)
	if wait > 0 {
		p.sendLater(now, wait)
	}
	return wait == 0
}

// maySendSmall is maySend for n bytes of small messages, in a datagram that holds some bytes of them already.
func (p *packets) maySendSmall(now time.Time, some, n int) bool {
	if some == 0 {
		n += wire.BoxOverhead
	}
	wait := p.pace.Wait(now, some+n)
	if wait == 0 || len(p.transfers.list) > 0 && p.ahead.take(now, p.pace.Rate(), n) {
		return true
	}
	p.sendLater(now, wait)
	if p.tail.at.IsZero() { // the report that we wait for may have been lost
		p.probeTailLater(now)
	}
	return false
}

func (p *packets) sendLater(now time.Time, wait time.Duration) {
	p.sendAt = now.Add(max(wait, timer.MinTick))
	p.wakeAt(p.sendAt)
}

// Tick asks for what is missing and forgets what is over. It returns when it is next needed. Before it, the caller pumps
// if PumpDue, calls ProbeTail, and sends a report if ReportDue.
func (p *packets) Tick(now time.Time) (next time.Time) {
	p.sendNaks(now)
	next = timer.Soonest(p.tidyLog(now), p.retire(now))
	next = timer.Soonest(next, timer.Soonest(p.sendAt, p.tail.at))
	if p.reports.of != nil {
		next = timer.Soonest(next, p.reports.notBefore)
	}
	for _, ch := range p.channels {
		next = timer.Soonest(next, ch.NextNak(p.RoundTrip()))
	}
	return next
}
