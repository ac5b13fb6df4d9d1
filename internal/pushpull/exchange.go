package pushpull

import (
	"bytes"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Token names an exchange in the questions to the application, and in its answers.
type Token uint64

// phase is how far an exchange has come.
type phase uint8

const (
	receiving phase = iota // theirs: the push is arriving
	asking                 // the application is being asked
	ready                  // ours: the push may go out, or waits for another try
	pushing                // ours: the caller is sending the push
	pushed                 // ours: the answer is awaited
	answering              // theirs: the caller is sending the answer
	merging                // the application has what the peer sent, or is about to get it
)

// An Exchange is one exchange of what two nodes hold: the states of their applications, or the members that they know.
// The push of one node draws the answer of the other.
type Exchange struct {
	token   Token
	peer    *Peer
	use     wire.Use       // of the push
	id      wire.MessageID // of the push
	ours    bool           // this node began it
	join    *Join          // that waits for it; nil for none
	phase   phase
	total   int                // theirs: bytes of the push, as the peer declared them
	push    *assembly.Assembly // theirs: the push as far as it has arrived; nil if it comes in one piece, or not yet
	own     []byte             // ours: the state to push, until the answer arrives
	got     []byte             // what the peer sent, until the application gets it
	sending bool               // our push is not acknowledged yet
	node    *members.Member    // of members: the peer itself, if it is to be judged
	vote    VoteToken          // of members: the question about node; 0 for none
	until   time.Time          // of ours: when it fails; of theirs: when it is merged even if the peer is not a member
	due     deadline
}

// Peer is the peer that the exchange is with.
func (e *Exchange) Peer() *Peer { return e.peer }

// ofMembers reports whether the exchange is of members, not of states.
func (e *Exchange) ofMembers() bool { return e.use == wire.UseRoll }

// answeredBy reports whether a use answers the push of the exchange.
func (e *Exchange) answeredBy(u wire.Use) bool {
	if e.ofMembers() {
		return u == wire.UseRollAnswer || u == wire.UseVeto
	}
	return u == e.use.Answer() || u == wire.UseLargeAnswer
}

// awaits reports whether a message of that use and id is the answer that an exchange of ours waits for.
func (e *Exchange) awaits(u wire.Use, id wire.MessageID) bool {
	return e.phase == pushed && e.answeredBy(u) && id == answerID(e.id)
}

// answerID is the id of the answer to a push.
func answerID(push wire.MessageID) wire.MessageID {
	push[15] ^= 1
	return push
}

// A deadline is a time at which something is due. seq breaks ties in the order of setting, so that a run can be
// repeated. The zero value is not due.
type deadline struct {
	at  time.Time
	seq uint64
}

// before reports whether d is due, and before o.
func (d deadline) before(o deadline) bool {
	if d.at.IsZero() || o.at.IsZero() {
		return o.at.IsZero() && !d.at.IsZero()
	}
	if c := d.at.Compare(o.at); c != 0 {
		return c < 0
	}
	return d.seq < o.seq
}

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

// WantsState reports whether the exchange of states is not over.
func (j *Join) WantsState() bool { return j.wantsState }

// TakesMembers reports whether members may be exchanged and have not been.
func (j *Join) TakesMembers() bool { return j.Agreed && !j.Synced }

// TookMembers reports whether the members have been exchanged.
func (j *Join) TookMembers() bool { return j.Synced }

// Deciding reports whether the application still decides about members.
func (j *Join) Deciding() bool { return j.Votes > 0 }

// Silence says that nobody waits for the end of the Join any more.
func (j *Join) Silence() { j.Token = 0 }

func (j *Join) token() uint64 {
	if j == nil {
		return 0
	}
	return j.Token
}

// exchangeEnded notes in a Join that one of its exchanges is over.
func (j *Join) exchangeEnded(out []Outcome, e *Exchange, err error) []Outcome {
	j.wantsState = j.wantsState && e.ofMembers()
	if err != nil {
		return append(out, Outcome{Kind: JoinFailed, Join: j, Err: err})
	}
	return append(out, Outcome{Kind: JoinAdvanced, Join: j})
}

// A VoteToken names a question about a node in the event that asks it and in the answer.
type VoteToken uint64

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
	if m.Name != string(e.Name) || m.Addr != e.Addr || m.Versions != e.Versions {
		return false
	}
	return sameZone(m, e) && bytes.Equal(m.Meta, e.Meta)
}

func sameZone(m *members.Member, e *wire.Member) bool {
	return m.Zone.Valid == e.HasZone && m.Zone.Name == string(e.ZoneName)
}
