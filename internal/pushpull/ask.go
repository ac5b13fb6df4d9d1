package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// VotesMax is the maximum number of names that wait for a verdict.
const VotesMax = 1024

// AskAlive asks the application about an entry. If a question about the same name is open, the newest entry of the name
// is asked about next. about is the peer that the entry describes and from the peer that sent it; either may be nil
// (PROTOCOL.md M10).
func (x *Exchanger) AskAlive(out []Outcome, e Entry, about, from *Peer) []Outcome {
	v := &Vote{Entry: e}
	if before := x.votes.byName[e.Name]; before != nil {
		if e.Incarnation > before.latest().Incarnation {
			before.newer = v
		}
		if from != nil && from.ID == before.ID {
			from.vote = before
		}
		return out
	}
	if len(x.votes.byName) >= VotesMax {
		x.Stats.Crowded++
		return out
	}
	return x.Ask(out, v, about)
}

// Ask asks the application about the entry of a Vote that [Vote.Newer] has returned. about is the peer that the entry
// describes; nil for none.
func (x *Exchanger) Ask(out []Outcome, v *Vote, about *Peer) []Outcome {
	w := &x.votes
	if w.byName == nil {
		w.byName, w.byToken = make(map[string]*Vote), make(map[VoteToken]*Vote)
	}
	w.last++
	v.token = w.last
	w.byName[v.Name], w.byToken[v.token] = v, v
	if about != nil {
		about.vote = v
	}
	if v.Join != nil {
		v.Join.Votes++
	}
	return append(out, Outcome{Kind: AliveAsked, Vote: v.token, Join: v.Join, Member: &v.Member})
}

// AnswerAlive removes the question of an AliveAsked and returns it, or nil if there is no such question. If there is no
// veto, the caller admits the entry. It then reports the verdict to the described peer with [Exchanger.Decided], and
// continues with [Vote.Newer].
func (x *Exchanger) AnswerAlive(token VoteToken, veto error) *Vote {
	v := x.votes.byToken[token]
	if v == nil {
		return nil
	}
	delete(x.votes.byToken, token)
	delete(x.votes.byName, v.Name)
	if v.newer != nil {
		v.newer.subscribes = v.subscribes
	}
	if veto != nil {
		x.Stats.Vetoed++
	}
	return v
}

// Decided records the verdict about a peer's own entry. A veto against a changed entry of a live member leaves the
// member as it was.
func (x *Exchanger) Decided(t *members.Table, p *Peer, veto error) {
	p.vote, p.Vetoed = nil, veto != nil && !t.IsLive(p.ID)
}

// A Fit says whether the versions of an alive entry are compatible with those of the members.
type Fit struct {
	OK       bool
	Stranger *members.Entry // the incompatible member; nil if there is none or none was searched
}

// Fits reports whether an alive entry describes a node whose versions are compatible with those of all members. from is
// the peer that sent the entry; nil for none.
func (x *Exchanger) Fits(now time.Time, t *members.Table, e *wire.Member, from *Peer) Fit {
	v := &x.Versions
	if !v.known(e.Versions) && !v.searches.Take(now, SearchRate) {
		x.Stats.Unfit++ // the next comparison of tables brings the entry again
		return Fit{}
	}
	s := v.stranger(t, e.Versions, e.ID)
	live := t.IsLive(e.ID)
	if from != nil && from.ID == e.ID {
		from.Vetoed = s != nil && !live
	}
	if s != nil {
		x.Stats.Unfit++
		return Fit{Stranger: s}
	}
	if !live { // the node's previous versions were not examined
		v.Note(e.Versions)
	}
	return Fit{OK: true}
}
