package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PushPull begins to exchange the applications' states with p independently of any Join. joining tells the applications
// that one of the two nodes is joining the other.
func (x *Exchanger) PushPull(out []Outcome, now time.Time, p *Peer, joining bool) []Outcome {
	use := wire.UsePush
	if joining {
		use = wire.UseJoinPush
	}
	return x.exchangeStates(out, p, use, nil, now.Add(exchangeFor))
}

// exchangeStates begins an exchange of states, if the bounds allow it, by asking the application for its state.
func (x *Exchanger) exchangeStates(out []Outcome, p *Peer, use wire.Use, j *Join, until time.Time) []Outcome {
	if !x.Config.State {
		return out
	}
	e := x.begin(p, use, j, until)
	if e == nil {
		return out
	}
	if j != nil {
		j.state = e
	}
	return x.askState(out, e)
}

// begin begins an exchange with p. It returns nil if one of the same kind is in progress or there are too many.
func (x *Exchanger) begin(p *Peer, use wire.Use, j *Join, until time.Time) *Exchange {
	e := &Exchange{peer: p, use: use, ours: true, join: j, until: until, phase: asking}
	slot := p.slot(e.ofMembers())
	n := &x.count[kindOf(e.ofMembers())]
	if *slot != nil || *n >= oursMax {
		return nil
	}
	*n++
	*slot = e
	x.register(e)
	x.set(e, until)
	return e
}

// tickOurs retries a push or ends the exchange.
func (x *Exchanger) tickOurs(out []Outcome, now time.Time, t *members.Table, e *Exchange) []Outcome {
	switch {
	case !now.Before(e.until):
		return x.end(out, e, ErrTimeout)
	case e.phase == ready:
		return x.push(out, now, t, e)
	}
	x.set(e, e.until)
	return out
}

// push sends this node's data. The state of a Join is not sent before the Join is agreed upon.
func (x *Exchanger) push(out []Outcome, now time.Time, t *members.Table, e *Exchange) []Outcome {
	e.phase = ready
	if e.join != nil && !e.join.Agreed && !e.ofMembers() {
		return out
	}
	data := e.own
	if e.ofMembers() {
		data = x.memberList(t, e.peer)
	}
	if len(data) > x.Config.MessageMax {
		return x.end(out, e, errListTooLarge(len(data), x.Config.MessageMax))
	}
	e.phase = pushing
	return append(out, x.pushOutcome(e, data))
}

func (x *Exchanger) pushOutcome(e *Exchange, data []byte) Outcome {
	return Outcome{Kind: Send, Exchange: e, Peer: e.peer, Use: e.use, Data: data, Until: e.until}
}

// Sent reports that the message of a Send outcome is being sent, with size bytes and the given id.
func (x *Exchanger) Sent(out []Outcome, now time.Time, t *members.Table, e *Exchange, id wire.MessageID, size int) []Outcome {
	x.Stats.Sent++
	e.noteSize(&x.Stats.LocalSize, size)
	if !e.ours {
		return x.answered(out, now, t, e)
	}
	e.id, e.sending, e.phase = id, true, pushed
	x.set(e, e.until)
	return out
}

// NotSent reports that there was no room for the message of a Send outcome. A push is retried later. In place of an
// answer, the peer's push is refused and dropped, so the peer sends it again. An exchange that has ended is ignored.
func (x *Exchanger) NotSent(out []Outcome, now time.Time, e *Exchange) []Outcome {
	if !x.InProgress(e) {
		return out
	}
	if e.ours {
		x.pushLater(now, e)
		return out
	}
	x.Stats.Refused++
	out = append(out, Outcome{Kind: SendRefusal, Peer: e.peer, ID: e.id})
	return x.end(out, e, nil)
}

func (x *Exchanger) pushLater(now time.Time, e *Exchange) {
	e.phase = ready
	at := now.Add(exchangeRetry + time.Duration(x.rng.Int64N(int64(exchangeRetry))))
	if e.until.Before(at) {
		at = e.until
	}
	x.set(e, at)
}

// SendEnded reports the end of sending a push: it was acknowledged, or err says why it was not.
func (x *Exchanger) SendEnded(out []Outcome, e *Exchange, push wire.MessageID, err error) []Outcome {
	if !e.sending || e.id != push {
		return out
	}
	e.sending = false
	if err != nil {
		out = x.end(out, e, err)
	}
	return out
}
