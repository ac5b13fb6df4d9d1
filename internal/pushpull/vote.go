package pushpull

import (
	"bytes"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A VoteToken names a question about a node in the event that asks it and in the answer.
type VoteToken uint64

// VotesMax bounds the names that wait for a verdict.
const VotesMax = 1024

// An Entry is an alive entry, and how it reached this node.
type Entry struct {
	members.Member
	From   wire.NodeID // the peer that sent it; zero for none
	Synced bool        // it came with a comparison of tables, so it is not passed on
	Join   *Join       // in which it was learned; nil for none
}

// A Vote is an alive entry that waits for the verdict of the application.
type Vote struct {
	Entry
	token      VoteToken
	subscribes bool  // the node has asked to subscribe meanwhile
	newer      *Vote // a later entry of the same name
}

// Newer is the question to ask next: a later entry of the same name has arrived. nil for none.
func (v *Vote) Newer() *Vote { return v.newer }

// Subscribes reports whether the node has asked to subscribe while the application decided.
func (v *Vote) Subscribes() bool { return v.subscribes }

// latest is the newest entry of one name.
func (v *Vote) latest() *Vote {
	if v.newer != nil {
		return v.newer
	}
	return v
}

// votes are the questions about nodes.
type votes struct {
	last    VoteToken
	byName  map[string]*Vote
	byToken map[VoteToken]*Vote
	ofLists map[VoteToken]*Exchange // whose peers wait for a verdict
}

func (v *votes) askOfList(e *Exchange) VoteToken {
	v.last++
	if v.ofLists == nil {
		v.ofLists = make(map[VoteToken]*Exchange)
	}
	v.ofLists[v.last] = e
	return v.last
}

// SameNode reports whether an entry says of a member only what is known.
func SameNode(m *members.Member, e *wire.Member) bool {
	return m.Name == string(e.Name) && m.Addr == e.Addr && m.Versions == e.Versions && sameZone(m, e) && bytes.Equal(m.Meta, e.Meta)
}

func sameZone(m *members.Member, e *wire.Member) bool {
	return m.Zone.Valid == e.HasZone && m.Zone.Name == string(e.ZoneName)
}

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
