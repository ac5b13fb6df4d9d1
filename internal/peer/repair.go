package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// nakSize is the maximum size in bytes of one Nak or Settled.
const nakSize = 48

// nakRoom is the size of Naks or Settleds from which a datagram takes no more, so that it fits into any path.
const nakRoom = pmtu.Min - wire.BoxOverhead - 2*nakSize

// HandleNak processes a Nak: the peer did not receive the packets numbered [start, end). Small messages are queued again
// ahead of others; a piece of a large message is sent again in its message's turn. Each packet number is served once,
// because the retransmission has a new packet number and a Settled makes the peer stop requesting the old one. Data that
// is no longer kept is lost to the peer. If full is true, the answers fill a datagram and the caller must call
// SendSettled.
//
// HandleNak returns the encoded small messages that no longer fit into a datagram, concatenated. They are valid until
// the next call; the caller queues them in pieces before it calls anything else (PROTOCOL.md A2).
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

// retransmit queues what one packet carried, unless that was done before. It returns the bytes that were lost
// (PROTOCOL.md A3).
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
	case p.queueFull() && e.cfg.Arena.Get(what.ref()) != nil:
		e.stats.QueueFull++
	default:
		e.eachKept(what, func(m arena.Ref, plain []byte) { p.requeue(now, m, plain) })
	}
	return lost
}

// requeue queues each message of a plaintext in the arena.
func (p *Peer) requeue(now time.Time, kept arena.Ref, plain []byte) {
	var m wire.Message
	for len(plain) > 0 {
		after, err := wire.ParseMessage(&m, plain)
		if err != nil { // impossible for a plaintext that this node wrote
			return
		}
		p.endpoint.stats.Resent++
		n := len(plain) - len(after)
		if n > p.Room() { // the path now carries less
			p.endpoint.unfit = append(p.endpoint.unfit, plain[:n]...)
		} else {
			p.queue.addUrgent(now, arena.Ref{Off: kept.Off, Size: uint32(n)})
			p.queueChanged()
		}
		kept.Off, plain = kept.Off+uint64(n), after
	}
}

// SendSettled sends the answers to the Naks of one packet. It returns false if there are none (PROTOCOL.md A4).
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

// HandleSettled processes a Settled: the packet numbers that it names are not missing any more.
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

// askMissing sends the Naks that are due and sets the timer for later ones.
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

// sendNaks sends the Naks that are due in all of the peer's channels.
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
