package pushpull

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// memberWait is the maximum time that the state of a node waits for the node's entry. The entry may have been lost and
// arrive again with the next rounds of its comparison, or the application may still be deciding about it.
const memberWait = 5 * time.Second

// askState asks the application for its state.
func (x *Exchanger) askState(out []Outcome, e *Exchange) []Outcome {
	return append(out, Outcome{Kind: StateWanted, Token: e.token, Join: e.join, Joining: e.use.Joins()})
}

// AnswerState answers a StateWanted. It does not keep data.
func (x *Exchanger) AnswerState(out []Outcome, now time.Time, t *members.Table, token Token, data []byte) []Outcome {
	e := x.byID[token]
	switch {
	case e == nil || e.phase != asking || e.ofMembers():
		return out
	case len(data) > x.Config.MessageMax:
		return x.answerSize(out, now, t, e, len(data))
	case e.ours:
		e.own = bytes.Clone(data)
		return x.push(out, now, t, e)
	}
	return x.answer(out, now, e, e.use.Answer(), data)
}

// answerSize continues an exchange although this node's own state is larger than a message. A Join with a waiting caller
// fails. In any other exchange, the peer gets the size instead, and this node gets the peer's state.
func (x *Exchanger) answerSize(out []Outcome, now time.Time, t *members.Table, e *Exchange, size int) []Outcome {
	x.Stats.TooLarge++
	out = append(out, Outcome{Kind: OwnStateTooLarge, Size: uint64(size)})
	encoded := binary.BigEndian.AppendUint64(nil, uint64(size))
	switch {
	case !e.ours:
		return x.answer(out, now, e, wire.UseLargeAnswer, encoded)
	case e.join.token() != 0:
		return x.end(out, e, &StateTooLargeError{Size: size, Max: x.Config.MessageMax})
	}
	e.use, e.own = wire.UseLargePush, encoded
	return x.push(out, now, t, e)
}

// handleSize processes the size of a state that the peer cannot send. It ends an exchange of this node. An exchange of
// the peer continues, because the peer wants this node's state.
func (x *Exchanger) handleSize(out []Outcome, e *Exchange, data []byte) []Outcome {
	size := binary.BigEndian.Uint64(data)
	if size <= uint64(x.Config.MessageMax) {
		x.Stats.Malformed++
		return x.end(out, e, nil)
	}
	x.Stats.TooLarge++
	out = append(out, Outcome{Kind: StateTooLarge, Peer: e.peer, Size: size})
	if e.ours {
		return x.end(out, e, &StateTooLargeError{Size: int(min(size, math.MaxInt)), Max: x.Config.MessageMax, Theirs: true})
	}
	e.phase = asking
	return x.askState(out, e)
}

// merge passes the peer's data to the application once the application knows the peer. A Join of this node has exchanged
// members before. The push of another node waits for that node's entry.
func (x *Exchanger) merge(out []Outcome, now time.Time, t *members.Table, e *Exchange) []Outcome {
	switch {
	case len(e.got) == 0:
		return x.end(out, e, nil)
	case e.join != nil && !e.join.Synced:
		return out
	case !e.ours && now.Before(e.until) && e.peer.outstanding(t):
		x.set(e, e.until)
		return out
	}
	out = append(out, Outcome{Kind: StateArrived, Token: e.token, Join: e.join, Joining: e.use.Joins(), Data: e.got})
	e.got = nil
	x.unset(e)
	return out
}

// Introduced reports that the peer's own entry has arrived, whether it was admitted or not.
func (x *Exchanger) Introduced(out []Outcome, now time.Time, t *members.Table, p *Peer) []Outcome {
	p.introduced = true
	return x.release(out, now, t, p)
}

// Admitted reports that the peer has become a member or that its entry has changed.
func (x *Exchanger) Admitted(out []Outcome, now time.Time, t *members.Table, p *Peer) []Outcome {
	p.approved = nil
	return x.release(out, now, t, p)
}

// release passes on the state of a node that waited for the node's entry, if it need not wait any longer.
func (x *Exchanger) release(out []Outcome, now time.Time, t *members.Table, p *Peer) []Outcome {
	if e := p.theirs; e != nil && e.phase == merging && e.got != nil {
		return x.merge(out, now, t, e)
	}
	return out
}

// StateMerged reports that the application is done with a StateArrived.
func (x *Exchanger) StateMerged(out []Outcome, token Token) []Outcome {
	if e := x.byID[token]; e != nil && e.phase == merging {
		return x.end(out, e, nil)
	}
	return out
}
