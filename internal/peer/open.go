package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Small messages of one turn of the loop that go to one peer share datagrams. No message waits for another: all
// that a turn sends leaves at its end, when the owner calls Seal for each peer with an open datagram. Messages that
// have to wait for the pacing share datagrams when they are sent.

// A Sending is what became of a small message.
type Sending uint8

const (
	Opened  Sending = iota // it is in the open datagram: Seal is to be called at the end of the turn
	Waits                  // it is in the queue
	Dropped                // too much is queued
	Unfit                  // nothing, because no datagram to the peer holds it: the caller sends it in pieces
)

// Send sends a small message in the arena, or queues it, or drops it when too much is queued.
func (p *Peer) Send(now time.Time, m arena.Ref) Sending {
	switch {
	case int(m.Size) > p.Room():
		return Unfit
	case p.queue.len() == 0 && p.enclose(now, m):
		return Opened
	}
	if p.queue.bytes >= SmallMax {
		p.queue.purge(p.endpoint.cfg.Arena)
		p.queueChanged()
	}
	if p.queue.bytes >= SmallMax {
		p.endpoint.stats.QueueFull++
		return Dropped
	}
	p.queue.add(now, m)
	p.queueChanged()
	return Waits
}

// SendUrgent is Send for a message that the peer asked for. It goes before others that are queued.
func (p *Peer) SendUrgent(now time.Time, m arena.Ref) Sending {
	switch {
	case int(m.Size) > p.Room():
		return Unfit
	case p.queue.len() == 0 && p.enclose(now, m):
		return Opened
	case p.queue.bytes >= SmallMax:
		p.endpoint.stats.QueueFull++
		return Dropped
	}
	p.queue.addUrgent(now, m)
	p.queueChanged()
	return Waits
}

// enclose puts a small message into the open datagram, if the pacing lets it go.
func (p *Peer) enclose(now time.Time, m arena.Ref) bool {
	n := int(m.Size)
	if p.open.size+n > p.Room() {
		p.Widen(now)
		p.Seal(now)
	}
	if !p.maySendSmall(now, p.open.size, n) {
		return false
	}
	p.open.list = append(p.open.list, m)
	p.open.size += n
	return true
}

// Seal sends the open datagram, if there is one.
func (p *Peer) Seal(now time.Time) {
	if len(p.open.list) == 0 {
		return
	}
	ch := p.Channel(now)
	if ch == nil || p.open.size > p.Room() { // the session is being replaced, or the path carries less than it did a moment ago
		for _, m := range p.open.list {
			p.queue.addUrgent(now, m)
		}
		p.open.list, p.open.size = p.open.list[:0], 0
		p.queueChanged()
		p.PumpSoon(now)
		return
	}
	e := p.endpoint
	if plain, what := e.gather(now, p.open.list); len(plain) > 0 {
		ch.transmit(now, p.sessions.Path(), plain, what)
	}
	p.open.list, p.open.size = p.open.list[:0], 0
	p.open.sealed = now
}

// Spare notes that the peer has a broadcast: a copy in the open datagram or in the queue need not be sent. Under load
// the peer has most of them, and sending the copies would cause the load.
func (p *Peer) Spare(id wire.MessageID) {
	for i, m := range p.open.list {
		if b := p.endpoint.cfg.Arena.Get(m); b != nil && IDOf(b) == id {
			p.open.list = append(p.open.list[:i], p.open.list[i+1:]...)
			p.open.size -= int(m.Size)
			return
		}
	}
	p.queue.spare(id)
}

// TakeQueue takes the messages that wait and are not urgent out of the queue, if there are at least so many of them.
func (p *Peer) TakeQueue(least int) []Queued {
	if len(p.queue.normal) < least {
		return nil
	}
	defer p.queueChanged()
	return p.queue.take()
}

// PutBack puts messages that TakeQueue returned before those that were queued since.
func (p *Peer) PutBack(list []Queued) {
	p.queue.putBack(list)
	p.queueChanged()
}
