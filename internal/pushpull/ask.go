package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// VotesMax is the maximum number of names that wait for a verdict.
const VotesMax = 1024

// NeedsVerdict reports whether the application must decide about an alive entry. m is the member that the entry describes, or
// nil. An entry that only reports a known member as alive needs no verdict, because a refutation must not wait. Nor does
// an entry that the application approved when its node joined.
func (x *Exchanger) NeedsVerdict(m *members.Entry, e *wire.Member) bool {
	known := m != nil && m.Live() && SameNode(&m.Member, e)
	if known || !x.Config.AskAlive {
		return false
	}
	about := x.peers[e.ID]
	return about == nil || !about.approves(e)
}

// AskAlive asks the application about an entry. If a question about the same name is open, the newest entry of the name
// is asked about next (PROTOCOL.md M10).
func (x *Exchanger) AskAlive(out []Outcome, e Entry) []Outcome {
	v := &Vote{Entry: e}
	if before := x.votes.byName[e.Name]; before != nil {
		if e.Incarnation > before.latest().Incarnation {
			before.newer = v
		}
		if from := x.peers[e.From]; from != nil && from.ID == before.ID {
			from.vote = before
		}
		return out
	}
	if len(x.votes.byName) >= VotesMax {
		x.Stats.Crowded++
		return out
	}
	return x.ask(out, v)
}

// ask asks the application about the entry of v.
func (x *Exchanger) ask(out []Outcome, v *Vote) []Outcome {
	w := &x.votes
	if w.byName == nil {
		w.byName, w.byToken = make(map[string]*Vote), make(map[VoteToken]*Vote)
	}
	w.last++
	v.token = w.last
	w.byName[v.Name], w.byToken[v.token] = v, v
	if about := x.peers[v.ID]; about != nil {
		about.vote = v
	}
	if v.Join != nil {
		v.Join.Votes++
	}
	return append(out, Outcome{Kind: AliveAsked, Vote: v.token, Join: v.Join, Member: &v.Member})
}

// AnswerAlive removes the question of an AliveAsked and returns it, or nil if there is no such question. It records the
// verdict for the peer that the entry describes: a veto against a changed entry of a live member leaves the member as it
// was. If there is no veto, the caller admits the entry. Then it calls [Exchanger.Continue].
func (x *Exchanger) AnswerAlive(t *members.Table, token VoteToken, veto error) *Vote {
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
	if p := x.peers[v.ID]; p != nil {
		p.vote, p.Vetoed = nil, veto != nil && !t.IsLive(p.ID)
	}
	return v
}

// Continue continues what waited for the verdict about v: a later entry of the same name is asked about, the request of the
// node to subscribe is answered, and the node's state is passed on.
func (x *Exchanger) Continue(out []Outcome, now time.Time, t *members.Table, v *Vote) []Outcome {
	if v.Join != nil {
		v.Join.Votes--
	}
	p := x.peers[v.ID]
	switch {
	case v.newer != nil:
		out = x.ask(out, v.newer)
	case v.subscribes && p != nil:
		out = append(out, Outcome{Kind: Subscribes, Peer: p})
	}
	if p != nil {
		out = x.release(out, now, t, p)
	}
	return out
}

// A Fit says whether the versions of an alive entry are compatible with those of the members.
type Fit struct {
	OK       bool
	Stranger *members.Entry // the incompatible member; nil if there is none or none was searched
}

// Fits reports whether an alive entry describes a node whose versions are compatible with those of all members. from is
// the peer that sent the entry; zero for none.
func (x *Exchanger) Fits(now time.Time, t *members.Table, e *wire.Member, from wire.NodeID) Fit {
	v := &x.Versions
	if !v.known(e.Versions) && !v.searches.Take(now, SearchRate) {
		x.Stats.Unfit++ // the next comparison of tables brings the entry again
		return Fit{}
	}
	s := v.stranger(t, e.Versions, e.ID)
	live := t.IsLive(e.ID)
	if p := x.peers[from]; p != nil && from == e.ID {
		p.Vetoed = s != nil && !live
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
