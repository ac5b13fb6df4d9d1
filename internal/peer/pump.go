package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
)

// Full reports whether this node must not queue further messages of its own because the peer receives too slowly.
func (p *Peer) Full(large bool) bool {
	if large {
		return p.transfers.full()
	}
	return p.queue.bytes >= SmallOwn
}

// Pump sends queued messages as far as the pacing allows. leaving says that this node has left: transfers then continue
// even without a link. If Pump returns a small message, no datagram can hold the first message of the queue: the caller
// queues it in pieces and then calls PumpOn. The returned message is valid until then.
func (p *Peer) Pump(now time.Time, leaving bool) (unfit []byte) {
	if p.Paused() && now.After(p.sendAt) {
		p.pace.Late(now, now.Sub(p.sendAt))
	}
	p.sendAt = time.Time{}
	p.Seal(now)
	return p.pump(now, leaving)
}

// PumpOn removes the first message from the queue and continues like Pump.
func (p *Peer) PumpOn(now time.Time, leaving bool) (unfit []byte) {
	p.queue.drop(1)
	p.queueChanged()
	return p.pump(now, leaving)
}

func (p *Peer) pump(now time.Time, leaving bool) (unfit []byte) {
	ch := p.Channel(now)
	if ch == nil {
		return nil
	}
	for went := true; went && unfit == nil; {
		went, unfit = p.sendNext(now, ch, leaving)
	}
	return unfit
}

// sendNext sends the next datagram, and reports whether there was one and the pacing allowed it.
func (p *Peer) sendNext(now time.Time, ch *Channel, leaving bool) (went bool, unfit []byte) {
	if p.queue.len() > 0 {
		went, unfit = p.sendQueued(now, ch)
		if went || unfit != nil || p.queue.len() > 0 {
			return went, unfit
		}
	}
	return p.sendPiece(now, ch, p.linked || leaving), nil
}

// sendQueued sends one datagram with as many queued small messages as fit, and reports whether it did. If the first
// message fits into no datagram, sendQueued returns it instead and leaves it in the queue.
func (p *Peer) sendQueued(now time.Time, ch *Channel) (went bool, unfit []byte) {
	unfit = p.tidyQueue(now)
	if p.queueChanged(); unfit != nil {
		return false, unfit
	}
	e, room := p.endpoint, p.Room()
	list, size, taken := e.going[:0], 0, 0
	for ; taken < p.queue.len(); taken++ {
		m := p.queue.at(taken).Ref
		if plain := e.cfg.Arena.Get(m); plain != nil && p.queue.needless(plain) {
			continue
		}
		if size+int(m.Size) > room {
			break
		}
		list = append(list, m)
		size += int(m.Size)
	}
	e.going = list
	if size > 0 {
		if !p.maySendSmall(now, 0, size) {
			return false, nil
		}
		if plain, what := e.gather(now, list); len(plain) > 0 {
			ch.transmit(now, p.sessions.Path(), plain, what)
		}
	}
	p.queue.drop(taken)
	p.queueChanged()
	return size > 0, nil
}

// tidyQueue drops messages that are too old from the front of the queue. It returns the first remaining message if no
// datagram can hold it.
func (p *Peer) tidyQueue(now time.Time) (unfit []byte) {
	e := p.endpoint
	for ; p.queue.len() > 0; p.queue.drop(1) {
		m := p.queue.at(0)
		if p.stale(now, m.At) {
			e.stats.QueueOld++
			continue
		}
		if int(m.Size) <= p.Room() {
			return nil
		}
		if plain := e.cfg.Arena.Get(m.Ref); plain == nil {
			e.stats.Forgotten++
		} else if !p.queue.needless(plain) {
			return plain
		}
	}
	return nil
}

// stale reports whether a message queued at since has waited too long: queueAge without a report from the peer. While
// the peer reports what it receives, however slowly, the queue moves (PROTOCOL.md D5).
func (p *Peer) stale(now, since time.Time) bool { return now.Sub(later(since, p.moved)) > queueAge }

// Tick sends Naks that are due and drops expired state. It returns the time of the next call. Before Tick, the caller
// pumps if PumpDue, calls ProbeTail, and sends a report if ReportDue.
func (p *Peer) Tick(now time.Time) (next time.Time) {
	p.sendNaks(now)
	next = p.tidyLogs(now)
	transfers, givenUp := p.transfers.retire(now, p.moved, p.linked)
	p.endpoint.stats.QueueOld += givenUp
	for _, t := range []time.Time{transfers, p.sendAt, p.tail.at} {
		next = timer.Soonest(next, t)
	}
	if p.reports.of != nil {
		next = timer.Soonest(next, p.NextReport())
	}
	for _, ch := range p.channels {
		next = timer.Soonest(next, ch.NextNak(p.RoundTrip()))
	}
	return next
}
