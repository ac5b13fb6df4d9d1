package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Begin begins to send a large message to the peer. use is that of a direct message; 0 for a broadcast.
func (p *Peer) Begin(now time.Time, a *assembly.Assembly, use wire.Use) *Transfer {
	return p.transfers.begin(now, a, use)
}

// Transfer returns the transfer of a message to the peer; nil if there is none.
func (p *Peer) Transfer(a *assembly.Assembly) *Transfer { return p.transfers.of(a) }

// Transfers returns the large messages on their way to the peer. The slice is the peer's, and valid until one begins or
// ends.
func (p *Peer) Transfers() []*Transfer { return p.transfers.list }

// Transferring reports whether something of a message remains to be sent to the peer.
func (p *Peer) Transferring(a *assembly.Assembly) bool {
	t := p.transfers.of(a)
	return t != nil && !t.Whole()
}

// Prefer puts a message that the peer asked for before those that it did not ask for: it may have these from others.
func (p *Peer) Prefer(t *Transfer) { p.transfers.prefer(t) }

// EndTransfers ends the transfers that over returns true for.
func (p *Peer) EndTransfers(over func(*Transfer) bool) { p.transfers.end(over) }

// EndTransfer ends the transfer of a message, if there is one.
func (p *Peer) EndTransfer(a *assembly.Assembly) {
	p.transfers.end(func(t *Transfer) bool { return t.message == a })
}

// Resend queues a piece of a large message again.
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

// sendPiece sends the next piece of a large message, if there is one and the pacing lets it go.
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

// cut makes the plaintext of a piece of a large message, as much of it as a datagram to the peer holds. It returns the
// bytes that the plaintext carries.
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
