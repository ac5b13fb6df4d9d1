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
	TransfersMax = 256 // maximum number of large messages that a peer accepts at once

	// RangesMax is the maximum number of ranges that the peer has of all messages, above which its requests are dropped.
	RangesMax = 4 * assembly.RangesMax

	unsentMax  = 4 << 20   // bytes of large messages available but not sent, above which no further one is begun
	unackedMax = unsentMax // bytes of this node's own messages that the peer has not reported, above which no further one is begun
	inTurn     = 4         // number of transfers whose pieces are interleaved
)

// parkedAge is the time a broadcast waits for an ended link to return. A peer that heard nothing for a while is
// considered dead until it returns.
const parkedAge = 10 * time.Second

// A Transfer is one large message on its way to one peer. It ends when the peer has reported all of it or has sent it to
// this node; until then the assembly is kept for retransmission.
type Transfer struct {
	message   *assembly.Assembly
	use       wire.Use     // for a direct message
	done      rangeset.Set // bytes sent to the peer or received from it
	requested bool         // the peer requested the message
	partial   bool         // the peer takes a stripe of the message from another node
	begun     bool         // a piece was sent, so the peer counts the message against this node's quota until it is complete
	since     time.Time    // when a piece was last sent, or when it was queued
	session   *session.Session
	last      uint64 // number of the packet in session that carried the last piece
}

// Message returns the message.
func (t *Transfer) Message() *assembly.Assembly { return t.message }

// Whole reports whether the entire message has been sent.
func (t *Transfer) Whole() bool { return t.done.Covers(0, t.message.Total) }

// Begun reports whether any piece has been sent.
func (t *Transfer) Begun() bool { return t.begun }

// Requested reports whether the peer requested the message.
func (t *Transfer) Requested() bool { return t.requested }

// Has notes that the peer has the bytes [from, to).
func (t *Transfer) Has(from, to uint32) { t.done.Add(from, to) }

// Lacks notes that the peer lacks the bytes [from, to).
func (t *Transfer) Lacks(from, to uint32) { t.done.Remove(from, to) }

// Only makes the transfer end with the given stripes: the peer takes the other from another node.
func (t *Transfer) Only(stripes assembly.Stripes) {
	others := assembly.Both &^ stripes
	t.partial = t.partial || others != 0
	others.Chunks(&t.message.ID, t.message.Total, func(from, to uint32) { t.done.Add(from, to) })
}

// Ranges returns the number of separate byte ranges that the peer has.
func (t *Transfer) Ranges() int { return len(t.done) }

// next returns the next piece to send; it is empty if none is available yet.
func (t *Transfer) next() rangeset.Range { return t.message.Have.FirstMissing(t.done) }

// stalled reports whether the transfer waits for bytes to send. A receiver may discard a stalled message.
func (t *Transfer) stalled(now time.Time) bool { return now.Sub(t.since) > assembly.StallGrace }

// confirmed reports whether the entire message was sent in the given session, in packets numbered below lowest.
func (t *Transfer) confirmed(s *session.Session, lowest uint64) bool {
	return t.session == s && t.last < lowest && t.Whole()
}

// expires returns when the transfer ends because it has waited too long. moved is the time of the peer's last report. A
// broadcast without a link waits only for the link.
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

// transfers holds the large messages on their way to one peer, in sending order.
type transfers struct {
	list []*Transfer
	turn int // counts the pieces sent
}

// full reports whether no further message may begin because the peer receives too slowly.
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

// of returns the transfer of a message, or nil if there is none.
func (x *transfers) of(a *assembly.Assembly) *Transfer {
	for _, t := range x.list {
		if t.message == a {
			return t
		}
	}
	return nil
}

// begin queues a message that has no transfer yet.
func (x *transfers) begin(now time.Time, a *assembly.Assembly, use wire.Use) *Transfer {
	t := &Transfer{message: a, use: use, since: now}
	if a.Use = use; use == wire.UseControl { // ahead of messages that may take long
		x.list = slices.Insert(x.list, 0, t)
	} else {
		x.list = append(x.list, t)
	}
	a.Pending++
	return t
}

// prefer moves a requested message ahead of those that the peer did not request.
func (x *transfers) prefer(t *Transfer) {
	if t.requested {
		return
	}
	t.requested = true
	from := slices.Index(x.list, t)
	to := slices.IndexFunc(x.list, func(o *Transfer) bool { return o == t || !o.requested })
	copy(x.list[to+1:from+1], x.list[to:from])
	x.list[to] = t
}

// end ends the transfers for which over returns true.
func (x *transfers) end(over func(*Transfer) bool) {
	x.list = slices.DeleteFunc(x.list, func(t *Transfer) bool {
		if !over(t) {
			return false
		}
		t.message.Pending--
		return true
	})
}

// next chooses the transfer whose piece is sent next: the first inTurn transfers take turns. It does not begin more than
// the peer accepts, because nothing repairs refused pieces. If broadcasts is false, it skips broadcasts.
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

// retire ends transfers that are complete elsewhere, forgotten, expired, or sent so long ago that no report will come.
// It returns the time of the next call and the number of transfers given up.
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
