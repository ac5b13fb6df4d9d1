package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// HandleMessage processes a complete push or answer whose pieces Expect has accepted. It keeps data.
func (x *Exchanger) HandleMessage(out []Outcome, now time.Time, t *members.Table, p *Peer, use wire.Use, id wire.MessageID, data []byte) []Outcome {
	e := p.theirs
	if use.IsAnswer() {
		e = *p.slot(use.OfMemberList())
	}
	if e == nil || !e.takes(use, id) {
		x.Stats.Unexpected++
		return out
	}
	switch {
	case use.StatesSize():
		return x.handleSize(out, e, data)
	case use == wire.UseVeto:
		err := &VetoError{Reason: string(data)}
		out = append(out, Outcome{Kind: VetoedByPeer, Peer: p, Err: err})
		return x.end(out, e, err)
	}
	if len(data) > 0 {
		x.Stats.Received++
	}
	e.noteSize(&x.Stats.RemoteSize, len(data))
	e.got = data
	switch {
	case e.ofMembers():
		return x.handleList(out, t, e)
	case e.ours:
		out = x.withdraw(out, e)
		e.own, e.phase = nil, merging
		return x.merge(out, now, t, e)
	}
	e.phase = asking
	return x.askState(out, e)
}

// takes reports whether a complete message belongs to the exchange.
func (e *Exchange) takes(u wire.Use, id wire.MessageID) bool {
	if e.ours {
		return e.awaits(u, id)
	}
	return e.id == id
}

// HandleRefused processes a peer's refusal of a push. A push that a Join waits for is retried later.
func (x *Exchanger) HandleRefused(out []Outcome, now time.Time, p *Peer, data []byte) []Outcome {
	id, err := wire.ParseStateRefused(data)
	if err != nil {
		x.Stats.Malformed++
		return out
	}
	for _, e := range []*Exchange{p.state, p.list} {
		if e == nil || e.phase != pushed || e.id != id {
			continue
		}
		if e.join == nil {
			out = x.end(out, e, errRefused)
			continue
		}
		out = x.withdraw(out, e)
		x.pushLater(now, e)
	}
	return out
}
