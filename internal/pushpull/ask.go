package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// VotesMax bounds the names that wait for a verdict.
const VotesMax = 1024

// AskAlive asks the application about an entry. If a question about the same name waits, the newest entry of the name
// is asked about after it. about and from are the peers that the entry is about and that it came from; nil for none.
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
// is about; nil for none.
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

// AnswerAlive takes the answer to an AliveAsked off the questions. It returns what was asked about; nil if there is no
// such question. The caller admits the entry if there is no veto, tells the peer that it is about by
// [Exchanger.Decided], and goes on with [Vote.Newer].
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

// Decided notes the verdict about a peer's own entry. A live member that changes what the application does not want
// stays as it was.
func (x *Exchanger) Decided(t *members.Table, p *Peer, veto error) {
	p.vote, p.Vetoed = nil, veto != nil && !t.IsLive(p.ID)
}

// A Fit is how the versions of an alive entry go with those of the members.
type Fit struct {
	OK       bool
	Stranger *members.Entry // the member that the node does not go with; nil if it was not looked for
}

// Fits reports whether an alive entry is of a node that understands all members, and is understood by them. from is the
// peer that sent the entry; nil for none.
func (x *Exchanger) Fits(now time.Time, t *members.Table, e *wire.Member, from *Peer) Fit {
	v := &x.Versions
	if !v.known(e.Versions) && !v.walks.Take(now, WalkRate) {
		x.Stats.Unfit++ // a comparison brings it again
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
	if !live { // the versions that the node had before were not looked at
		v.Note(e.Versions)
	}
	return Fit{OK: true}
}
