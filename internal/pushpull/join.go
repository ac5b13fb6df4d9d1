package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Join is the part of a Join of this node that concerns the applications: the exchange of their states, and whether
// both sides agree to become one cluster. The caller makes it with [Exchanger.NewJoin].
type Join struct {
	Token  uint64 // names the Join in questions to the application; 0 if nobody waits for its end
	Agreed bool   // nobody objects, so members may be exchanged
	Synced bool   // the members have been exchanged, so states may be merged
	Votes  int    // members that the application still decides about

	wantsState bool      // the exchange of states is not over
	state      *Exchange // of states; nil before it begins
	list       *Exchange // of members; nil before it begins, or if nobody judges
}

// NewJoin returns the part of a new Join. token is 0 if nobody waits for its end.
func (x *Exchanger) NewJoin(token uint64) Join { return Join{Token: token, wantsState: x.Config.State} }

// WantsState reports whether the exchange of states is not over.
func (j *Join) WantsState() bool { return j.wantsState }

func (j *Join) token() uint64 {
	if j == nil {
		return 0
	}
	return j.Token
}

// Capabilities is what the handshake tells others about a node that is configured so.
func (c *Config) Capabilities() (bits uint32) {
	if c.AskMerge {
		bits |= capAsksMerge
	}
	if c.AskAlive || c.Judges {
		bits |= capJudges
	}
	return bits
}

// judgesAll reports whether all members are judged before this node and p become one cluster.
func (x *Exchanger) judgesAll(p *Peer) bool {
	return x.Config.AskMerge || p.asksMerge || p.Versions != x.Config.Versions
}

// judges reports whether one of the two ends of a Join judges the other before anything else is told.
func (x *Exchanger) judges(p *Peer) bool {
	return x.judgesAll(p) || p.judges || x.Config.Capabilities()&capJudges != 0
}

// AdvanceJoin begins what a Join with p waits for if the bounds allow it now: the exchange of states, and the agreement.
// The exchanges fail at until.
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
	if j.list = x.begin(p, wire.UseRoll, j, until); j.list != nil {
		out = x.push(out, now, t, j.list)
	}
	return out
}

// agree lets a Join exchange members, and push the state if the application has given it.
func (x *Exchanger) agree(out []Outcome, now time.Time, t *members.Table, j *Join) []Outcome {
	j.Agreed = true
	out = append(out, Outcome{Kind: Agreed, Join: j})
	if e := j.state; e != nil && e.phase == ready {
		e.phase = pushing // as soon as the caller has acted on the agreement
		out = append(out, x.pushOutcome(e, e.own))
	}
	return out
}

// JoinSynced says that the members have been exchanged: the state of the other side may be merged.
func (x *Exchanger) JoinSynced(out []Outcome, now time.Time, t *members.Table, j *Join) []Outcome {
	j.Synced = true
	if e := j.state; e != nil && e.phase == merging {
		out = x.merge(out, now, t, e)
	}
	return out
}

// EndJoin ends the exchanges of a Join that is over.
func (x *Exchanger) EndJoin(out []Outcome, j *Join) []Outcome {
	for _, e := range []*Exchange{j.state, j.list} {
		if e != nil {
			e.join = nil
			out = x.end(out, e, nil)
		}
	}
	return out
}

// exchangeEnded notes in a Join that one of its exchanges is over.
func (j *Join) exchangeEnded(out []Outcome, e *Exchange, err error) []Outcome {
	j.wantsState = j.wantsState && e.ofMembers()
	if err != nil {
		return append(out, Outcome{Kind: JoinFailed, Join: j, Err: err})
	}
	return append(out, Outcome{Kind: JoinAdvanced, Join: j})
}
