package pushpull

import (
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
