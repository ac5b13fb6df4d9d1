package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
)

// Full reports whether no further message of this node is to be queued for the peer, which takes less than comes.
func (p *Peer) Full(large bool) bool {
	if large {
		return p.transfers.full()
	}
	return p.queue.bytes >= SmallOwn
}

// Pump sends what is queued, as far as the pacing allows. leaving says that this node has left: it still sends what it
// began, without a link as well. If Pump returns a small message, the message is the first of the queue and no datagram
// holds it: the caller queues it in pieces, and then calls PumpOn. The message is valid until then.
func (p *Peer) Pump(now time.Time, leaving bool) (unfit []byte) {
	if p.Paused() && now.After(p.sendAt) {
		p.pace.Late(now, now.Sub(p.sendAt))
	}
	p.sendAt = time.Time{}
	p.Seal(now)
	return p.pump(now, leaving)
}

// PumpOn takes the first message out of the queue and goes on as Pump does.
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

// sendNext sends the next datagram, and reports whether there was one and it could go.
func (p *Peer) sendNext(now time.Time, ch *Channel, leaving bool) (went bool, unfit []byte) {
	if p.queue.len() > 0 {
		went, unfit = p.sendQueued(now, ch)
		if went || unfit != nil || p.queue.len() > 0 {
			return went, unfit
		}
	}
	return p.sendPiece(now, ch, p.linked || leaving), nil
}

// sendQueued sends the next datagram of queued small messages, with as many as it holds. It reports whether one could
// go. It returns the first message instead if that does not fit into a datagram; the message stays in the queue.
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

// tidyQueue drops the first messages of the queue as long as they are too old. It returns the first one that is not, if
// no datagram holds it.
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

// stale reports whether a message has waited too long, since a given time: the queue has not moved for queueAge. As
// long as the peer reports what it receives, however slowly, the message's turn will come.
func (p *Peer) stale(now, since time.Time) bool { return now.Sub(later(since, p.moved)) > queueAge }

// Tick asks for what is missing and forgets what is over. It returns when it is next needed. Before it, the caller pumps
// if PumpDue, calls ProbeTail, and sends a report if ReportDue.
func (p *Peer) Tick(now time.Time) (next time.Time) {
	p.sendNaks(now)
	next = p.tidyLogs(now)
	transfers, givenUp := p.transfers.retire(now, p.moved, p.linked)
	p.endpoint.stats.QueueOld += givenUp
	for _, t := range []time.Time{transfers, p.sendAt, p.tail.at} {
		next = timer.Soonest(next, t)
	}
	if p.reports.of != nil {
		next = timer.Soonest(next, p.reports.notBefore)
	}
	for _, ch := range p.channels {
		next = timer.Soonest(next, ch.NextNak(p.RoundTrip()))
	}
	return next
}
