package gossip

import (
	"encoding/binary"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the repair of losses (docs/PROTOCOL.md, "Loss repair").
const (
	nakMax  = session.WindowSize // packet numbers that the Naks of one packet may name
	nakSize = 48                 // bytes of one Nak at most
)

// nakRoom is how many bytes of Naks, or of answers to them, one datagram has before the last: they go through any path.
const nakRoom = datagramMin - wire.BoxOverhead - 2*nakSize

// BeginPacket begins to count what the messages of one packet ask for. A packet may have thousands of messages: what
// each of them may ask for is bounded for all of them together.
func (e *endpoint) BeginPacket() { e.named = 0 }

// mayName reports whether n more packet numbers are looked for. Those of one packet are disjoint and lie in a window.
func (e *endpoint) mayName(n uint32) bool {
	if e.named+uint64(n) > nakMax {
		return false
	}
	e.named += uint64(n)
	return true
}

// HandleNak takes in that the peer did not receive the packets from start up to end. Small messages are queued again,
// before others; a piece of a large message is sent again when the turn of that comes. Each packet number is served once,
// because what is sent again has a packet number of its own, and the peer is told not to ask for it any more. What is not
// kept any more is lost to the peer. full says that the answers fill a datagram, and SendSettled is to be called.
//
// HandleNak returns the small messages that do not fit into a datagram any more, one after the other. They are
// valid until the next call, and the caller queues them in pieces before it calls anything else.
func (ch *channel) HandleNak(now time.Time, start, end uint32) (unfit []byte, full bool) {
	p, e := ch.peer, ch.peer.endpoint
	first := ch.Expand(start)
	after := first + uint64(end-start)
	if end-start > nakMax || after > ch.Sent()+1 || !e.mayName(end-start) {
		e.stats.Unexpected++
		return nil, false
	}
	e.unfit = e.unfit[:0]
	lost := 0
	for n := first; n < after; n++ {
		what, _, size, ok := ch.log.Get(n)
		if !ok {
			e.stats.Forgotten++
			continue
		}
		if what.settled {
			continue
		}
		what.settled = true
		if !what.probe {
			lost += size
			p.mtu.Lost(now, size)
			p.pathChanged(now)
		}
		p.retransmit(now, what)
	}
	if lost > 0 {
		p.pace.Lost(now, lost)
	}
	e.settling = wire.AppendSettled(e.settling, e.ids.Control(), wire.Settled{Start: start, End: end})
	return e.unfit, len(e.settling) > nakRoom
}

// SendSettled answers the Naks of one packet. It returns false if there were none.
func (ch *channel) SendSettled(now time.Time) bool {
	e := ch.peer.endpoint
	if len(e.settling) == 0 {
		return false
	}
	e.settling = ch.AppendChatter(e.settling)
	ch.Send(now, ch.peer.sessions.Path(), e.settling)
	e.settling = e.settling[:0]
	return true
}

// AppendChatter appends to a plaintext that the packet numbers just before it carried nothing that would be sent again.
// So neither Naks nor the answers to them are asked for when they are lost, and no such talk goes on without end,
// however much is lost.
func (ch *channel) AppendChatter(b []byte) []byte {
	n := min(ch.chatter, nakMax)
	if n == 0 {
		return b
	}
	after := ch.Sent() + 1
	return wire.AppendSettled(b, ch.peer.endpoint.ids.Control(), wire.Settled{Start: uint32(after - n), End: uint32(after)})
}

// HandleSettled ends the wait for what the peer sent under other packet numbers.
func (ch *channel) HandleSettled(data []byte) {
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

// retransmit queues what one packet carried.
func (p *packets) retransmit(now time.Time, what *content) {
	switch {
	case what.asm != nil:
		p.ResendPiece(now, what.asm, what.piece)
	case what.off != 0:
		p.requeue(now, what)
	}
}

// requeue queues the messages of a packet again, each for itself.
func (p *packets) requeue(now time.Time, what *content) {
	e := p.endpoint
	kept := e.arena.get(what.off, int(what.size))
	switch {
	case kept == nil:
		e.stats.Forgotten++
	case p.queue.bytes >= smallMax:
		e.stats.QueueFull++
	case !what.index:
		p.requeueEach(now, what.off, kept)
	default:
		for ; len(kept) >= storedSize; kept = kept[storedSize:] {
			off, size := binary.BigEndian.Uint64(kept), binary.BigEndian.Uint32(kept[8:])
			if b := e.arena.get(off, int(size)); b != nil {
				p.requeueEach(now, off, b)
			} else {
				e.stats.Forgotten++
			}
		}
	}
}

// requeueEach queues each of the messages of a plaintext that lies at off in the arena.
func (p *packets) requeueEach(now time.Time, off uint64, plain []byte) {
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
			p.queue.addUrgent(now, stored{off, uint32(n)})
		}
		off, plain = off+uint64(n), after
	}
}

// ResendPiece queues a piece of a large message again.
func (p *packets) ResendPiece(now time.Time, a *assembly, piece rangeset.Range) {
	if a.chunks == nil {
		p.endpoint.stats.Forgotten++
		return
	}
	p.endpoint.stats.Resent++
	t := p.Transfer(a)
	if t == nil {
		t = p.Begin(now, a, a.use)
		t.begun = true
		t.done.Add(0, a.total)
	}
	t.done.Remove(piece.From, piece.To)
}

// sendNaks asks for what is missing and due in the peer's channels.
func (p *packets) sendNaks(now time.Time) {
	e := p.endpoint
	for _, ch := range p.channels {
		if t := ch.NextNak(p.RoundTrip()); t.IsZero() || t.After(now) {
			continue
		}
		e.control = e.control[:0]
		ch.TakeNaks(now, p.RoundTrip(), func(start, end uint64) bool {
			e.control = wire.AppendNak(e.control, e.ids.Control(), uint32(start), uint32(end))
			e.stats.NaksSent++
			return len(e.control) < nakRoom
		})
		if len(e.control) > 0 {
			e.control = ch.AppendChatter(e.control)
			ch.Send(now, p.sessions.Path(), e.control)
		}
	}
}

// AskMissing asks for packets that are missing and due, and sets the timer for those that will be.
func (ch *channel) AskMissing(now time.Time) {
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
