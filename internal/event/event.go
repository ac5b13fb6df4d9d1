// Package event has what a core tells its owner: what has happened, for the application and its log, and what the
// application is asked. It also keeps the events of one turn until the owner takes them.
//
// The package decides nothing: each component returns outcomes, and the core makes an event of those that the owner is to
// hear of. An answer of the application is a command of the core, with the token of the question.
//
// event.go has the events, queue.go keeps them.
package event

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Kind is what an Event tells.
type Kind uint8

const (
	Message Kind = iota // Data is a message of another node, which came as Via says; the application's to keep
	Join                // Member became part of the cluster
	Update              // Member's metadata changed
	Leave               // Member died or left: see its State
	Joined              // the Join with Token ended, Err says how
	Sent                // the reliable message with Send ended, Err says how
	Ping                // Member answered a Ping of ours after RTT, with Data
	Pinged              // the Ping with that token ended: Err says how, or RTT is the time it took
	Log                 // Text is a line for the log, level first

	PayloadWanted // SetAckPayload is wanted

	Departed // the last Leave has been heard, or nobody is there to hear it
	Conflict // Member is a member, Other claims its name and lives too
	// The application is asked, in the Join of Token or, if that is zero, by whoever has time. Joining
	// tells that it is part of a Join, here or at the other end.

	StateWanted     // AnswerState, with State, wants the application's state
	State           // Data is another's state, the application's to keep; StateMerged is told when it is done
	MergeAsked      // AnswerMerge, with State: may we become one cluster with Peers?
	AliveAsked      // AnswerAlive, with Vote: may Member be a member, or be as it says now?
	SelectionWanted // SetSelection: which of Peers, that are as they are since Since, may be chosen?

	Coverage  // From answers wire.UseCoverage: Has says whether it has the broadcast ID
	Duplicate // another copy of the broadcast ID came from From; only after Core.SetWatched
)

// Via is the way a message came.
type Via uint8

const (
	ViaBroadcast Via = iota // to all nodes
	ViaDirect               // to this node only
	ViaRepeat               // to this node, because all nodes got it before this one joined (PROTOCOL.md U6)
)

// Tokens name what an Event is about.
type (
	JoinToken  = joining.Token
	SendToken  = direct.Token
	PingToken  = ping.Token
	StateToken = pushpull.Token
	VoteToken  = pushpull.VoteToken
)

// An Event is something that the application or its log is to hear of. Events come in order.
type Event struct {
	Kind   Kind
	Via    Via // of Message
	Data   []byte
	From   wire.NodeID    // of Message, Duplicate and Coverage: the peer that the copy, its last piece or the answer came from
	ID     wire.MessageID // and the broadcast
	Size   int            // and its bytes
	Has    bool           // of Coverage
	Member members.Member
	Token  JoinToken
	Send   SendToken
	Ping   PingToken
	RTT    time.Duration
	Err    error
	Text   string

	Other   *members.Member // of Conflict
	State   StateToken
	Vote    VoteToken
	Joining bool
	Peers   []members.Member
	Since   []time.Time // of SelectionWanted
}
