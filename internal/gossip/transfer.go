package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the transfers to one peer (docs/DESIGN.md, "Bounds").
const (
	bulkMax    = 4 << 20         // bytes of large messages that are here to be sent, beyond which no further one is begun
	ownAhead   = bulkMax         // bytes of our own that the peer has not reported, beyond which no further one is begun
	bulkCount  = incompleteCount // large messages: more a peer does not take at once
	bulkActive = 4               // of which pieces are sent in turn
)

// parkedAge is how long a broadcast waits for a link that has ended to come back: a peer that heard nothing for a while
// is taken for dead and returns.
const parkedAge = 10 * time.Second

// transfer is one large message on its way to one peer. It ends when the peer has reported all of it, or has sent it
// to this node; until then the assembly is kept for repair.
type transfer struct {
	asm   *assembly
	use   wire.Use     // of a direct message
	done  rangeset.Set // what the peer was sent, or has sent this node and so has
	asked bool         // the peer asked for it
	begun bool         // a piece was sent, so that the peer counts it against us until it is whole there
	since time.Time    // when a piece was last sent, or when it was queued
	ch    *channel     // where the last piece was sent, under the packet number last
	last  uint64
}

// Whole reports whether nothing of the message remains to be sent.
func (t *transfer) Whole() bool { return t.done.Covers(0, t.asm.total) }

// Begun reports whether a piece was sent.
func (t *transfer) Begun() bool { return t.begun }

// Asked reports whether the peer asked for the message.
func (t *transfer) Asked() bool { return t.asked }

// Assembly is the message.
func (t *transfer) Assembly() *assembly { return t.asm }

// Has notes that the peer has the bytes [from, to).
func (t *transfer) Has(from, to uint32) { t.done.Add(from, to) }

// Lacks notes that the peer lacks the bytes [from, to).
func (t *transfer) Lacks(from, to uint32) { t.done.Remove(from, to) }

// Pieces is how many separate runs of bytes the peer has.
func (t *transfer) Pieces() int { return len(t.done) }

// next is the piece to be sent next; empty when there is none yet.
func (t *transfer) next() rangeset.Range { return t.asm.have.FirstMissing(t.done) }

// stalled reports whether the message stands still for want of bytes to send: a receiver lets such a one give way.
func (t *transfer) stalled(now time.Time) bool { return now.Sub(t.since) > stallGrace }

// transfers is the large messages on their way to one peer, in the order in which they are sent.
type transfers struct {
	list []*transfer
	turn int // counts the pieces sent
}

// full reports whether no further message is to be begun: the peer takes less than comes.
func (x *transfers) full() bool {
	if len(x.list) >= bulkCount {
		return true
	}
	waiting, ours := 0, 0
	for _, t := range x.list {
		have := t.asm.have.Size()
		waiting += int(have - min(t.done.Size(), have))
		if t.asm.ours {
			ours += t.asm.bytes
		}
	}
	return waiting >= bulkMax || ours >= ownAhead
}

// of is the transfer of a message; nil if there is none.
func (x *transfers) of(a *assembly) *transfer {
	for _, t := range x.list {
		if t.asm == a {
			return t
		}
	}
	return nil
}

// next chooses the transfer of which a piece is sent next: the first few take turns. No more are begun than the
// peer takes, lest it refuse pieces, which nothing repairs. Broadcasts are left out if the peer is to get none.
func (x *transfers) next(now time.Time, broadcasts bool) (next *transfer, piece rangeset.Range) {
	var budget budget
	for _, t := range x.list {
		if t.begun && !t.stalled(now) {
			budget.take(t.asm.total, t.done.Size())
		}
	}
	var ready [bulkActive]*transfer
	var pieces [bulkActive]rangeset.Range
	n := 0
	for _, t := range x.list {
		if !t.begun && !budget.allows(t.asm.total, incompleteSize/2) {
			continue
		}
		if !broadcasts && !t.asm.direct {
			continue
		}
		if pieces[n] = t.next(); !pieces[n].Empty() {
			ready[n] = t
			if n++; n == bulkActive {
				break
			}
		}
	}
	if n == 0 {
		return nil, rangeset.Range{}
	}
	i := x.turn % n
	return ready[i], pieces[i]
}

// confirm ends what has arrived whole: see channel.Confirm.
func (x *transfers) confirm(ch *channel, lowest uint64, arrived []*assembly) []*assembly {
	x.list = slices.DeleteFunc(x.list, func(t *transfer) bool {
		over := t.ch == ch && t.last < lowest && t.Whole()
		if over {
			t.asm.pending--
			arrived = append(arrived, t.asm)
		}
		return over
	})
	return arrived
}

// Transfer is the transfer of a message to the peer; nil if there is none.
func (p *packets) Transfer(a *assembly) *transfer { return p.transfers.of(a) }

// Transfers is the large messages on their way to the peer. The slice is the peer's.
func (p *packets) Transfers() []*transfer { return p.transfers.list }

// Transferring reports whether something of a message remains to be sent to the peer.
func (p *packets) Transferring(a *assembly) bool {
	t := p.transfers.of(a)
	return t != nil && !t.Whole()
}

// Begin begins to send a large message to the peer.
func (p *packets) Begin(now time.Time, a *assembly, use wire.Use) *transfer {
	t := &transfer{asm: a, use: use, since: now}
	if a.use = use; use == wire.UseControl { // before what may take long
		p.transfers.list = slices.Insert(p.transfers.list, 0, t)
	} else {
		p.transfers.list = append(p.transfers.list, t)
	}
	a.pending++
	return t
}

// Prefer puts a message that the peer asked for before those that it did not ask for: it may have these from others.
func (p *packets) Prefer(t *transfer) {
	if t.asked {
		return
	}
	t.asked = true
	list := p.transfers.list
	from := slices.Index(list, t)
	to := slices.IndexFunc(list, func(o *transfer) bool { return o == t || !o.asked })
	copy(list[to+1:from+1], list[to:from])
	list[to] = t
}

// EndTransfers ends the transfers that over returns true for.
func (p *packets) EndTransfers(over func(*transfer) bool) {
	p.transfers.list = slices.DeleteFunc(p.transfers.list, func(t *transfer) bool {
		if !over(t) {
			return false
		}
		t.asm.pending--
		return true
	})
}

// EndTransfer ends the transfer of a message.
func (p *packets) EndTransfer(a *assembly) {
	p.EndTransfers(func(t *transfer) bool { return t.asm == a })
}

// cut makes the plaintext of a piece of a large message, as much of it as a datagram to the peer holds.
func (p *packets) cut(now time.Time, t *transfer, piece rangeset.Range) (plain []byte, what content) {
	e, a := p.endpoint, t.asm
	overhead := wire.FrameOverhead
	if a.direct {
		overhead = wire.DirectOverhead
	}
	if int(piece.To-piece.From) > p.Room()-overhead {
		p.Widen(now)
	}
	data := a.piece(piece.From, min(piece.To, piece.From+uint32(p.Room()-overhead)))
	piece.To = piece.From + uint32(len(data))
	if a.direct {
		e.control = wire.AppendDirect(e.control[:0], a.id, wire.Direct{Use: t.use, Total: a.total, Offset: piece.From, Data: data})
	} else {
		e.control = wire.AppendFrame(e.control[:0], wire.Bin, a.id, a.total, piece.From, data)
	}
	return e.control, content{asm: a, piece: piece}
}

// sentPiece notes that a piece was sent.
func (p *packets) sentPiece(now time.Time, ch *channel, t *transfer, piece rangeset.Range) {
	t.done.Add(piece.From, piece.To)
	p.endpoint.stats.FrameBytes += uint64(piece.To - piece.From)
	t.begun, t.since, t.ch, t.last = true, now, ch, ch.Sent()
	t.asm.progress = now
	p.transfers.turn++
	p.probeTailLater(now)
}

// retire ends the transfers of what the peer has from elsewhere, of what was forgotten, of what waits too long, and of
// what was sent so long ago that no report of it will come. It returns when it is next needed.
func (p *packets) retire(now time.Time) (next time.Time) {
	p.EndTransfers(func(t *transfer) bool {
		from, most := p.waitsFrom(t.since), queueAge
		if !p.linked && !t.asm.direct {
			from, most = t.since, parkedAge
		}
		switch {
		case t.Whole():
			if t.begun && t.asm.chunks != nil && now.Sub(t.since) <= sentHorizon {
				next = timer.Soonest(next, t.since.Add(sentHorizon+time.Millisecond))
				return false
			}
		case t.asm.chunks == nil || now.Sub(from) > most:
			if t.asm.passed || t.asm.direct {
				p.endpoint.stats.QueueOld++
			}
		default:
			next = timer.Soonest(next, from.Add(most+time.Millisecond))
			return false
		}
		return true
	})
	return next
}
