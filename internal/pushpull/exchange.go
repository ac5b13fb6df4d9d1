package pushpull

import (
	"bytes"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Token identifies an exchange in questions to the application and in its answers.
type Token uint64

// phase is the progress of an exchange.
type phase uint8

const (
	receiving phase = iota // theirs: the push is arriving
	asking                 // the application has been asked
	ready                  // ours: the push may be sent, or waits for a retry
	pushing                // ours: the caller is sending the push
	pushed                 // ours: the answer is awaited
	answering              // theirs: the caller is sending the answer
	merging                // the application has the peer's data, or is about to get it
)

// An Exchange is one exchange between two nodes: of their applications' states, or of the members that they know. One
// node sends a push, and the other replies with an answer.
type Exchange struct {
	token   Token
	peer    *Peer
	use     wire.Use       // use of the push
	id      wire.MessageID // id of the push
	ours    bool           // this node began it
	join    *Join          // the Join that waits for it; nil for none
	phase   phase
	total   int                // theirs: declared size of the push in bytes
	push    *assembly.Assembly // theirs: the push as far as it has arrived; nil if it is one piece or has not begun
	own     []byte             // ours: the state to push, until the answer arrives
	got     []byte             // data from the peer, until the application gets it
	sending bool               // our push is not acknowledged yet
	node    *members.Member    // of members: the peer itself, if it must be judged
	vote    VoteToken          // of members: the question about node; 0 for none
	until   time.Time          // ours: when it fails; theirs: when it is merged even if the peer is not a member
	due     deadline
}

// Peer returns the peer of the exchange.
func (e *Exchange) Peer() *Peer { return e.peer }

// ofMembers reports whether the exchange is of members rather than of states.
func (e *Exchange) ofMembers() bool { return e.use == wire.UseMemberList }

// answeredBy reports whether a message of use u answers the push of the exchange.
func (e *Exchange) answeredBy(u wire.Use) bool {
	if e.ofMembers() {
		return u == wire.UseMemberListAnswer || u == wire.UseVeto
	}
	return u == e.use.Answer() || u == wire.UseLargeAnswer
}

// awaits reports whether a message of that use and id is the answer that an exchange of this node awaits.
func (e *Exchange) awaits(u wire.Use, id wire.MessageID) bool {
	return e.phase == pushed && e.answeredBy(u) && id == answerID(e.id)
}

// answerID returns the id of the answer to a push (PROTOCOL.md B1).
func answerID(push wire.MessageID) wire.MessageID {
	push[15] ^= 1
	return push
}

// A deadline is the time at which an action is due. seq breaks ties in the order of setting, so that runs are
// reproducible. The zero value is never due.
type deadline struct {
	at  time.Time
	seq uint64
}

// before reports whether d is set and earlier than o.
func (d deadline) before(o deadline) bool {
	if d.at.IsZero() || o.at.IsZero() {
		return o.at.IsZero() && !d.at.IsZero()
	}
	if c := d.at.Compare(o.at); c != 0 {
		return c < 0
	}
	return d.seq < o.seq
}

// A Join is the part of a Join of this node that concerns the applications: the exchange of their states, and the
// agreement of both sides to become one cluster. Create it with [Exchanger.NewJoin].
type Join struct {
	Token  uint64 // identifies the Join in questions to the application; 0 if no caller waits for its end
	Agreed bool   // neither side objects, so members may be exchanged
	Synced bool   // the members have been exchanged, so states may be merged
	Votes  int    // number of members that the application still decides about

	wantsState bool      // the exchange of states has not ended
	state      *Exchange // of states; nil before it begins
	list       *Exchange // of members; nil before it begins, or if neither node judges
}

// WantsState reports whether the exchange of states has not ended.
func (j *Join) WantsState() bool { return j.wantsState }

// TakesMembers reports whether members may be exchanged but have not been.
func (j *Join) TakesMembers() bool { return j.Agreed && !j.Synced }

// TookMembers reports whether the members have been exchanged.
func (j *Join) TookMembers() bool { return j.Synced }

// Deciding reports whether the application has not decided about all members.
func (j *Join) Deciding() bool { return j.Votes > 0 }

// Silence records that no caller waits for the end of the Join any more.
func (j *Join) Silence() { j.Token = 0 }

func (j *Join) token() uint64 {
	if j == nil {
		return 0
	}
	return j.Token
}

// exchangeEnded records the end of one of the Join's exchanges.
func (j *Join) exchangeEnded(out []Outcome, e *Exchange, err error) []Outcome {
	j.wantsState = j.wantsState && e.ofMembers()
	if err != nil {
		return append(out, Outcome{Kind: JoinFailed, Join: j, Err: err})
	}
	return append(out, Outcome{Kind: JoinAdvanced, Join: j})
}

// A VoteToken identifies a question about a node and its answer.
type VoteToken uint64

// An Entry is an alive entry together with its source.
type Entry struct {
	members.Member
	From   wire.NodeID // the peer that sent it; zero for none
	Synced bool        // it came from a comparison of tables, so it is not passed on
	Join   *Join       // the Join in which it was learned; nil for none
}

// A Vote is an alive entry that waits for the verdict of the application.
type Vote struct {
	Entry
	token      VoteToken
	subscribes bool  // the node asked to subscribe in the meantime
	newer      *Vote // a later entry of the same name
}

// latest returns the newest entry of the name.
func (v *Vote) latest() *Vote {
	if v.newer != nil {
		return v.newer
	}
	return v
}

// votes holds the open questions about nodes.
type votes struct {
	last    VoteToken
	byName  map[string]*Vote
	byToken map[VoteToken]*Vote
	ofLists map[VoteToken]*Exchange // exchanges whose peers wait for a verdict
}

func (v *votes) askOfList(e *Exchange) VoteToken {
	v.last++
	if v.ofLists == nil {
		v.ofLists = make(map[VoteToken]*Exchange)
	}
	v.ofLists[v.last] = e
	return v.last
}

// SameNode reports whether an entry contains nothing new about a member.
func SameNode(m *members.Member, e *wire.Member) bool {
	if m.Name != string(e.Name) || m.Addr != e.Addr || m.Versions != e.Versions {
		return false
	}
	return sameZone(m, e) && bytes.Equal(m.Meta, e.Meta)
}

func sameZone(m *members.Member, e *wire.Member) bool {
	return m.Zone.Valid == e.HasZone && m.Zone.Name == string(e.ZoneName)
}
