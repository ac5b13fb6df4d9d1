package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Begin starts the transfer of a large message to the peer. use is that of a direct message; it is 0 for a broadcast.
func (p *Peer) Begin(now time.Time, a *assembly.Assembly, use wire.Use) *Transfer {
	return p.transfers.begin(now, a, use)
}

// Transfer returns the transfer of a message to the peer, or nil if there is none.
func (p *Peer) Transfer(a *assembly.Assembly) *Transfer { return p.transfers.of(a) }

// Transfers returns the large messages on their way to the peer. The peer owns the slice, which is valid until a
// transfer begins or ends.
func (p *Peer) Transfers() []*Transfer { return p.transfers.list }

// Ranges returns the number of separate byte ranges that the peer has of all messages.
func (p *Peer) Ranges() (n int) {
	for _, t := range p.transfers.list {
		n += t.Ranges()
	}
	return n
}

// Transferring reports whether parts of a message remain to be sent to the peer.
func (p *Peer) Transferring(a *assembly.Assembly) bool {
	t := p.transfers.of(a)
	return t != nil && !t.Whole()
}

// Prefer moves a message that the peer requested ahead of those it did not request, which it may get from others.
func (p *Peer) Prefer(t *Transfer) { p.transfers.prefer(t) }

// EndTransfers ends the transfers for which over returns true.
func (p *Peer) EndTransfers(over func(*Transfer) bool) { p.transfers.end(over) }

// EndTransfer ends the transfer of a message, if there is one.
func (p *Peer) EndTransfer(a *assembly.Assembly) {
	p.transfers.end(func(t *Transfer) bool { return t.message == a })
}

// Resend queues a piece of a large message for retransmission.
func (p *Peer) Resend(now time.Time, a *assembly.Assembly, piece rangeset.Range) {
	if a.Forgotten() {
		p.endpoint.stats.Forgotten++
		return
	}
	p.endpoint.stats.Resent++
	t := p.transfers.of(a)
	if t == nil {
		t = p.transfers.begin(now, a, a.Use)
		t.begun = true
		t.done.Add(0, a.Total)
	}
	t.done.Remove(piece.From, piece.To)
}

// sendPiece sends the next piece of a large message, and reports whether there was one and the pacing allowed it.
func (p *Peer) sendPiece(now time.Time, ch *Channel, broadcasts bool) bool {
	t, piece := p.transfers.next(now, broadcasts)
	if t == nil || !p.maySend(now, min(int(piece.To-piece.From)+wire.DirectOverhead, p.Room())) {
		return false
	}
	plain, piece := p.cut(now, t, piece)
	ch.transmit(now, p.sessions.Path(), plain, content{message: t.message, piece: piece})
	t.done.Add(piece.From, piece.To)
	p.endpoint.stats.FrameBytes += uint64(piece.To - piece.From)
	t.begun, t.since, t.session, t.last = true, now, ch.Session, ch.Sent()
	t.message.Progress = now
	p.transfers.turn++
	p.probeTailLater(now)
	return true
}

// cut builds the plaintext for as much of a piece as fits into a datagram to the peer. It also returns the range that
// the plaintext carries.
func (p *Peer) cut(now time.Time, t *Transfer, piece rangeset.Range) (plain []byte, carried rangeset.Range) {
	e, a := p.endpoint, t.message
	overhead := wire.FrameOverhead
	if a.Direct {
		overhead = wire.DirectOverhead
	}
	if int(piece.To-piece.From) > p.Room()-overhead {
		p.Widen(now)
	}
	data := a.Piece(piece.From, min(piece.To, piece.From+uint32(p.Room()-overhead)))
	piece.To = piece.From + uint32(len(data))
	if a.Direct {
		e.control = wire.AppendDirect(e.control[:0], a.ID, wire.Direct{Use: t.use, Total: a.Total, Offset: piece.From, Data: data})
	} else {
		e.control = wire.AppendFrame(e.control[:0], wire.Bin, a.ID, a.Total, piece.From, data)
	}
	return e.control, piece
}
