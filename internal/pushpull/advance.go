package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// NewJoin returns the exchange part of a new Join. token is 0 if no caller waits for its end.
func (x *Exchanger) NewJoin(token uint64) *Join {
	return &Join{Token: token, wantsState: x.Config.State}
}

// judgesAll reports whether all members are judged before this node and p become one cluster.
func (x *Exchanger) judgesAll(p *Peer) bool {
	return x.Config.AskMerge || p.asksMerge || p.Versions != x.Config.Versions
}

// judges reports whether one end of a Join judges the other before anything else is exchanged.
func (x *Exchanger) judges(p *Peer) bool {
	return x.judgesAll(p) || p.judges || x.Config.Capabilities()&capJudges != 0
}

// AdvanceJoin begins the exchanges that a Join with p waits for, if the bounds allow it: the exchange of states, and the
// agreement. The exchanges fail at until.
func (x *Exchanger) AdvanceJoin(out []Outcome, now time.Time, t *members.Table, p *Peer, j *Join, until time.Time) []Outcome {
	if j.wantsState && j.state == nil {
		out = x.exchangeStates(out, p, wire.UseJoinPush, j, until)
	}
	if j.Agreed || j.list != nil {
		return out
	}
	if !x.judges(p) {
		return x.agree(out, now, t, j)
	}
	if j.list = x.begin(p, wire.UseMemberList, j, until); j.list != nil {
		out = x.push(out, now, t, j.list)
	}
	return out
}

// agree allows a Join to exchange members, and pushes the state if the application has already provided it.
func (x *Exchanger) agree(out []Outcome, now time.Time, t *members.Table, j *Join) []Outcome {
	j.Agreed = true
	out = append(out, Outcome{Kind: Agreed, Join: j})
	if e := j.state; e != nil && e.phase == ready {
		e.phase = pushing // as soon as the caller has processed the agreement
		out = append(out, x.pushOutcome(e, e.own))
	}
	return out
}

// JoinSynced reports that the members have been exchanged, so the state of the other node may be merged.
func (x *Exchanger) JoinSynced(out []Outcome, now time.Time, t *members.Table, j *Join) []Outcome {
	j.Synced = true
	if e := j.state; e != nil && e.phase == merging {
		out = x.merge(out, now, t, e)
	}
	return out
}

// EndJoin ends the exchanges of a Join that has ended.
func (x *Exchanger) EndJoin(out []Outcome, j *Join) []Outcome {
	for _, e := range []*Exchange{j.state, j.list} {
		if e != nil {
			e.join = nil
			out = x.end(out, e, nil)
		}
	}
	return out
}
