package peer

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the transfers to one peer (docs/LIMITS.md).
const (
	TransfersMax = 256 // large messages: more a peer does not take at once

	unsentMax  = 4 << 20   // bytes of large messages that are here to be sent, beyond which no further one is begun
	unackedMax = unsentMax // bytes of this node's own that the peer has not reported, beyond which no further one is begun
	inTurn     = 4         // transfers of which pieces are sent in turn
)

// parkedAge is how long a broadcast waits for a link that has ended to come back: a peer that heard nothing for a while
// is taken for dead and returns.
const parkedAge = 10 * time.Second

// A Transfer is one large message on its way to one peer. It ends when the peer has reported all of it, or has sent it
// to this node; until then the assembly is kept for repair.
type Transfer struct {
	message *assembly.Assembly
	use     wire.Use     // of a direct message
	done    rangeset.Set // what the peer was sent, or has sent this node and so has
	asked   bool         // the peer asked for it
	begun   bool         // a piece was sent, so that the peer counts it against us until it is whole there
	since   time.Time    // when a piece was last sent, or when it was queued
	session *session.Session
	last    uint64 // number of the packet in session that carried the last piece
}

// Message returns the message.
func (t *Transfer) Message() *assembly.Assembly { return t.message }

// Whole reports whether nothing of the message remains to be sent.
func (t *Transfer) Whole() bool { return t.done.Covers(0, t.message.Total) }

// Begun reports whether a piece was sent.
func (t *Transfer) Begun() bool { return t.begun }

// Asked reports whether the peer asked for the message.
func (t *Transfer) Asked() bool { return t.asked }

// Has notes that the peer has the bytes [from, to).
func (t *Transfer) Has(from, to uint32) { t.done.Add(from, to) }

// Lacks notes that the peer lacks the bytes [from, to).
func (t *Transfer) Lacks(from, to uint32) { t.done.Remove(from, to) }

// Ranges returns how many separate ranges of bytes the peer has.
func (t *Transfer) Ranges() int { return len(t.done) }

// next returns the piece to be sent next; empty when there is none yet.
func (t *Transfer) next() rangeset.Range { return t.message.Have.FirstMissing(t.done) }

// stalled reports whether the message stands still for want of bytes to send: a receiver lets such a one give way.
func (t *Transfer) stalled(now time.Time) bool { return now.Sub(t.since) > assembly.StallGrace }

// confirmed reports whether all of the message was sent, in packets of a session with numbers below lowest.
func (t *Transfer) confirmed(s *session.Session, lowest uint64) bool {
	return t.session == s && t.last < lowest && t.Whole()
}

// expires returns when the transfer ends because it has waited for too long. moved is when the peer last reported what it
// received. A broadcast without a link waits for the link only.
func (t *Transfer) expires(moved time.Time, linked bool) time.Time {
	if !linked && !t.message.Direct {
		return t.since.Add(parkedAge)
	}
	return later(t.since, moved).Add(queueAge)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// transfers is the large messages on their way to one peer, in the order in which they are sent.
type transfers struct {
	list []*Transfer
	turn int // counts the pieces sent
}

// full reports whether no further message is to be begun: the peer takes less than comes.
func (x *transfers) full() bool {
	if len(x.list) >= TransfersMax {
		return true
	}
	unsent, ours := 0, 0
	for _, t := range x.list {
		have := t.message.Have.Size()
		unsent += int(have - min(t.done.Size(), have))
		if t.message.Ours {
			ours += t.message.Allocated()
		}
	}
	return unsent >= unsentMax || ours >= unackedMax
}

// of returns the transfer of a message; nil if there is none.
func (x *transfers) of(a *assembly.Assembly) *Transfer {
	for _, t := range x.list {
		if t.message == a {
			return t
		}
	}
	return nil
}

// begin queues a message that there is no transfer of.
func (x *transfers) begin(now time.Time, a *assembly.Assembly, use wire.Use) *Transfer {
	t := &Transfer{message: a, use: use, since: now}
	if a.Use = use; use == wire.UseControl { // before what may take long
		x.list = slices.Insert(x.list, 0, t)
	} else {
		x.list = append(x.list, t)
	}
	a.Pending++
	return t
}

// prefer puts a message that the peer asked for before those that it did not ask for.
func (x *transfers) prefer(t *Transfer) {
	if t.asked {
		return
	}
	t.asked = true
	from := slices.Index(x.list, t)
	to := slices.IndexFunc(x.list, func(o *Transfer) bool { return o == t || !o.asked })
	copy(x.list[to+1:from+1], x.list[to:from])
	x.list[to] = t
}

// end ends the transfers that over returns true for.
func (x *transfers) end(over func(*Transfer) bool) {
	x.list = slices.DeleteFunc(x.list, func(t *Transfer) bool {
		if !over(t) {
			return false
		}
		t.message.Pending--
		return true
	})
}

// next chooses the transfer of which a piece is sent next: the first few take turns. No more are begun than the
// peer takes, lest it refuse pieces, which nothing repairs. Broadcasts are left out if the peer is to get none.
func (x *transfers) next(now time.Time, broadcasts bool) (next *Transfer, piece rangeset.Range) {
	var begun assembly.Budget
	for _, t := range x.list {
		if t.begun && !t.stalled(now) {
			begun.Take(t.message.Total, t.done.Size())
		}
	}
	var ready [inTurn]*Transfer
	var pieces [inTurn]rangeset.Range
	n := 0
	for _, t := range x.list {
		if !t.begun && !begun.Allows(t.message.Total, assembly.IncompleteSize/2) {
			continue
		}
		if !broadcasts && !t.message.Direct {
			continue
		}
		if pieces[n] = t.next(); !pieces[n].Empty() {
			ready[n] = t
			if n++; n == inTurn {
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

// retire ends the transfers of what the peer has from elsewhere, of what was forgotten, of what waits too long, and of
// what was sent so long ago that no report of it will come. It returns when it is next needed, and how many were given up.
func (x *transfers) retire(now, moved time.Time, linked bool) (next time.Time, givenUp uint64) {
	x.end(func(t *Transfer) bool {
		a := t.message
		if t.Whole() {
			repairable := t.begun && !a.Forgotten() && now.Sub(t.since) <= SentHorizon
			if repairable {
				next = timer.Soonest(next, t.since.Add(SentHorizon+time.Millisecond))
			}
			return !repairable
		}
		expires := t.expires(moved, linked)
		if !a.Forgotten() && !now.After(expires) {
			next = timer.Soonest(next, expires.Add(time.Millisecond))
			return false
		}
		if a.PassedOn || a.Direct {
			givenUp++
		}
		return true
	})
	return next, givenUp
}
