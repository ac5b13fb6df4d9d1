package pushpull

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PushRate limits the exchanges that one peer may begin.
var PushRate = quota.Rate{Burst: 8, Every: 2 * time.Second}

// Expect decides about a piece of a push or an answer before any of it is kept, and reports whether to accept the piece.
// If the message has several pieces, the caller then calls [Exchanger.Receives].
func (x *Exchanger) Expect(out []Outcome, now time.Time, t *members.Table, p *Peer, id wire.MessageID, d wire.Direct) ([]Outcome, bool) {
	if !rightSize(d.Use, d.Total) {
		x.Stats.Malformed++
		return out, false
	}
	if d.Use.IsAnswer() {
		e := *p.slot(d.Use.OfMemberList())
		if e == nil || !e.awaits(d.Use, id) {
			x.Stats.Unexpected++
			return out, false
		}
		return out, true
	}
	if e := p.theirs; e != nil && e.id == id {
		if e.phase == receiving && int(d.Total) != e.total {
			x.Stats.Unexpected++
			return out, false
		}
		return out, e.phase == receiving
	}
	return x.admitPush(out, now, t, p, id, d)
}

// rightSize reports whether total is a valid size for a message of an exchange.
func rightSize(u wire.Use, total uint32) bool {
	switch {
	case u.StatesSize():
		return total == wire.StateSizeLen
	case u == wire.UseVeto:
		return total <= wire.ReasonMax
	}
	return true
}

// admitPush begins an exchange that p requests, if the bounds allow it. If this node's application has no state, the
// node says so at once (PROTOCOL.md B4).
func (x *Exchanger) admitPush(out []Outcome, now time.Time, t *members.Table, p *Peer, id wire.MessageID, d wire.Direct) ([]Outcome, bool) {
	member := t.Self().Live()
	if member && !x.Config.State && d.Use != wire.UseMemberList {
		if p.mayBeRefused(now) {
			out = append(out, Outcome{Kind: SendNothing, Peer: p, ID: answerID(id), Use: d.Use.Answer()})
		}
		return out, false
	}
	out, room := x.makeRoom(out, now, p, int(d.Total), member)
	if !room {
		x.Stats.Refused++
		if p.mayBeRefused(now) {
			out = append(out, Outcome{Kind: SendRefusal, Peer: p, ID: id})
		}
		return out, false
	}
	e := &Exchange{peer: p, use: d.Use, id: id, total: int(d.Total)}
	x.register(e)
	x.theirs = append(x.theirs, e)
	x.size += e.total
	p.theirs = e
	x.set(e, now.Add(exchangeCheck))
	return out, true
}

// mayBeRefused limits the refusals sent to a peer.
func (p *Peer) mayBeRefused(now time.Time) bool {
	if now.Sub(p.refused) < refusalPause {
		return false
	}
	p.refused = now
	return true
}

// makeRoom reports whether there is room for one more exchange with p. It ends exchanges without progress to make room.
// A node that has left accepts none.
func (x *Exchanger) makeRoom(out []Outcome, now time.Time, p *Peer, size int, member bool) ([]Outcome, bool) {
	if !member {
		return out, false
	}
	if p.theirs != nil {
		if !p.theirs.stalled(now) {
			return out, false
		}
		out = x.end(out, p.theirs, nil)
	}
	for _, e := range slices.Clone(x.theirs) {
		if x.fits(size) {
			break
		}
		if e.stalled(now) {
			out = x.end(out, e, nil)
		}
	}
	return out, x.fits(size) && p.begun.Take(now, PushRate)
}

// fits reports whether another node may begin one more exchange with a push of size bytes.
func (x *Exchanger) fits(size int) bool {
	return len(x.theirs) < TheirsMax && x.size+size <= TheirsSize*x.Config.MessageMax
}

// stalled reports whether the push of another node makes no progress.
func (e *Exchange) stalled(now time.Time) bool {
	if e.phase != receiving {
		return false
	}
	return !e.isHere() || now.Sub(e.push.Progress) > stallGrace
}

// isHere reports whether a part of the other node's push has arrived.
func (e *Exchange) isHere() bool { return e.push != nil && !e.push.Forgotten() }

// Receives records that a piece of a message of p has arrived, and in which assembly. It does nothing if the message is
// not the push of p that is being received.
func (x *Exchanger) Receives(p *Peer, push *assembly.Assembly) {
	if e := p.theirs; e != nil && e.id == push.ID {
		e.push = push
	}
}

// tickTheirs ends an exchange whose push has been dropped, and merges a state that has waited long enough.
func (x *Exchanger) tickTheirs(out []Outcome, now time.Time, t *members.Table, e *Exchange) []Outcome {
	switch {
	case e.phase == merging && e.got != nil:
		return x.merge(out, now, t, e)
	case e.phase != receiving:
		return out
	}
	if !e.isHere() {
		return x.end(out, e, nil)
	}
	x.set(e, now.Add(exchangeCheck))
	return out
}

// answer sends the answer to a push. The exchange continues in answered or ends in NotSent (PROTOCOL.md B3).
func (x *Exchanger) answer(out []Outcome, now time.Time, e *Exchange, use wire.Use, data []byte) []Outcome {
	e.phase = answering
	return append(out, Outcome{Kind: Send, Exchange: e, Peer: e.peer, Use: use, ID: answerID(e.id), Data: data, Until: now.Add(answerFor)})
}

// answered continues with the data of a push once the answer is being sent.
func (x *Exchanger) answered(out []Outcome, now time.Time, t *members.Table, e *Exchange) []Outcome {
	if e.ofMembers() {
		return x.end(out, e, nil)
	}
	e.phase, e.until = merging, now.Add(memberWait)
	return x.merge(out, now, t, e)
}
