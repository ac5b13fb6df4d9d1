package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Small messages that one turn of the loop sends to one peer share datagrams. They do not wait for other messages: the
// owner calls Seal at the end of the turn for each peer with an open datagram. Messages that wait for the pacing share
// datagrams when they are sent.

// A Sending says what Send did with a small message.
type Sending uint8

const (
	Opened  Sending = iota // the message is in the open datagram: the caller calls Seal at the end of the turn
	Waits                  // the message is in the queue
	Dropped                // the message was dropped because the queue is full
	Unfit                  // nothing was done because the message fits into no datagram to the peer: the caller sends it in pieces
)

// Send puts a small message from the arena into the open datagram, or queues it, or drops it if the queue is full.
func (p *Peer) Send(now time.Time, m arena.Ref) Sending {
	switch {
	case int(m.Size) > p.Room():
		return Unfit
	case p.queue.len() == 0 && p.enclose(now, m):
		return Opened
	}
	if p.queueFull() {
		p.queue.purge(p.endpoint.cfg.Arena)
		p.queueChanged()
	}
	if p.queueFull() {
		p.endpoint.stats.QueueFull++
		return Dropped
	}
	p.queue.add(now, m)
	p.queueChanged()
	return Waits
}

// SendUrgent is like Send for a message that the peer requested. It goes ahead of queued normal messages.
func (p *Peer) SendUrgent(now time.Time, m arena.Ref) Sending {
	switch {
	case int(m.Size) > p.Room():
		return Unfit
	case p.queue.len() == 0 && p.enclose(now, m):
		return Opened
	case p.queueFull():
		p.endpoint.stats.QueueFull++
		return Dropped
	}
	p.queue.addUrgent(now, m)
	p.queueChanged()
	return Waits
}

// queueFull reports whether no further message may be queued for the peer, or for any peer.
func (p *Peer) queueFull() bool { return p.queue.bytes >= SmallMax || p.endpoint.crowded() }

// enclose adds a small message to the open datagram if the pacing allows it.
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
	if ch == nil || p.open.size > p.Room() { // the session is being replaced, or the path now carries less
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

// Spare notes that the peer has a broadcast, so a copy in the open datagram or in the queue need not be sent. Under load
// the peer has most queued broadcasts, and sending the copies would add to that load.
func (p *Peer) Spare(id wire.MessageID) {
	for i, m := range p.open.list {
		if b := p.endpoint.cfg.Arena.Get(m); b != nil && IDOf(b) == id {
			p.open.list = append(p.open.list[:i], p.open.list[i+1:]...)
			p.open.size -= int(m.Size)
			return
		}
	}
	if !p.endpoint.crowded() {
		p.queue.spare(id)
		p.queueChanged()
	}
}

// TakeQueue removes and returns the queued normal messages. If there are fewer than least, it returns nil.
func (p *Peer) TakeQueue(minimum int) []Queued {
	if len(p.queue.normal) < minimum {
		return nil
	}
	defer p.queueChanged()
	return p.queue.take()
}

// PutBack puts messages that TakeQueue returned ahead of those queued since then.
func (p *Peer) PutBack(list []Queued) {
	p.queue.putBack(list)
	p.queueChanged()
}
