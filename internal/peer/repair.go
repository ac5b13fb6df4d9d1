package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// nakSize is the most bytes of one Nak, or of the answer to it.
const nakSize = 48

// nakRoom is how many bytes of Naks, or of answers to them, one datagram has before the last: they go through any path.
const nakRoom = pmtu.Min - wire.BoxOverhead - 2*nakSize

// HandleNak takes in that the peer did not receive the packets with numbers from start up to end. Small messages are
// queued again, before others; a piece of a large message is sent again when the turn of that comes. Each packet number
// is served once, because what is sent again has a packet number of its own, and the peer is told not to ask for the old
// one any more. What is not kept any more is lost to the peer. full says that the answers fill a datagram, and that
// SendSettled is to be called.
//
// HandleNak returns the small messages that do not fit into a datagram any more, one after the other. They are
// valid until the next call, and the caller queues them in pieces before it calls anything else.
func (ch *Channel) HandleNak(now time.Time, start, end uint32) (unfit []byte, full bool) {
	e := ch.peer.endpoint
	first := ch.Expand(start)
	after := first + uint64(end-start)
	if after > ch.Sent()+1 || !e.mayName(end-start) {
		e.stats.Unexpected++
		return nil, false
	}
	e.unfit = e.unfit[:0]
	lost := 0
	for n := first; n < after; n++ {
		lost += ch.retransmit(now, n)
	}
	if lost > 0 {
		ch.peer.pace.Lost(now, lost)
	}
	e.settling = wire.AppendSettled(e.settling, e.cfg.IDs.Control(), wire.Settled{Start: start, End: end})
	return e.unfit, len(e.settling) > nakRoom
}

// retransmit queues what one packet carried, unless that was done before. It returns the bytes that were lost with it.
func (ch *Channel) retransmit(now time.Time, number uint64) (lost int) {
	p, e := ch.peer, ch.peer.endpoint
	what, _, size, ok := ch.log.Get(number)
	if !ok {
		e.stats.Forgotten++
		return 0
	}
	if what.settled {
		return 0
	}
	what.settled = true
	if !what.probe {
		lost = size
		p.mtu.Lost(now, size)
		p.pathChanged(now)
	}
	switch {
	case what.message != nil:
		p.Resend(now, what.message, what.piece)
	case !what.repairable():
	case p.queue.bytes >= SmallMax && e.cfg.Arena.Get(what.ref()) != nil:
		e.stats.QueueFull++
	default:
		e.eachKept(what, func(m arena.Ref, plain []byte) { p.requeue(now, m, plain) })
	}
	return lost
}

// requeue queues each of the messages of a plaintext in the arena.
func (p *Peer) requeue(now time.Time, kept arena.Ref, plain []byte) {
	var m wire.Message
	for len(plain) > 0 {
		after, err := wire.ParseMessage(&m, plain)
		if err != nil { // not of what we have written ourselves
			return
		}
		p.endpoint.stats.Resent++
		n := len(plain) - len(after)
		if n > p.Room() { // the path carries less than it did
			p.endpoint.unfit = append(p.endpoint.unfit, plain[:n]...)
		} else {
			p.queue.addUrgent(now, arena.Ref{Off: kept.Off, Size: uint32(n)})
			p.queueChanged()
		}
		kept.Off, plain = kept.Off+uint64(n), after
	}
}

// SendSettled answers the Naks of one packet. It returns false if there were none.
func (ch *Channel) SendSettled(now time.Time) bool {
	e := ch.peer.endpoint
	if len(e.settling) == 0 {
		return false
	}
	e.settling = ch.AppendChatter(e.settling)
	ch.Send(now, ch.peer.sessions.Path(), e.settling)
	e.settling = e.settling[:0]
	return true
}

// HandleSettled ends the wait for what the peer sent under other packet numbers.
func (ch *Channel) HandleSettled(data []byte) {
	e := ch.peer.endpoint
	s, err := wire.ParseSettled(data)
	switch n := s.End - s.Start; {
	case err != nil:
		e.stats.MalformedBody++
	case n > nakMax:
		e.stats.Unexpected++
	default:
		highest := ch.Highest()
		first := highest + uint64(int64(int32(s.Start-uint32(highest))))
		ch.Settle(first, first+uint64(n))
	}
}

// askMissing asks for packets that are missing and due, and sets the timer for those that will be.
func (ch *Channel) askMissing(now time.Time) {
	if !ch.Missing() {
		return
	}
	at := ch.NextNak(ch.peer.RoundTrip())
	switch {
	case at.IsZero():
	case at.After(now):
		ch.peer.wakeAt(at)
	default:
		ch.peer.sendNaks(now)
	}
}

// sendNaks asks for what is missing and due in the peer's channels.
func (p *Peer) sendNaks(now time.Time) {
	e := p.endpoint
	for _, ch := range p.channels {
		if t := ch.NextNak(p.RoundTrip()); t.IsZero() || t.After(now) {
			continue
		}
		e.control = e.control[:0]
		ch.TakeNaks(now, p.RoundTrip(), func(start, end uint64) bool {
			e.control = wire.AppendNak(e.control, e.cfg.IDs.Control(), uint32(start), uint32(end))
			e.stats.NaksSent++
			p.missed += end - start
			return len(e.control) < nakRoom
		})
		if len(e.control) > 0 {
			e.control = ch.AppendChatter(e.control)
			ch.Send(now, p.sessions.Path(), e.control)
		}
	}
}
