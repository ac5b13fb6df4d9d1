// Package event defines what a core reports to its owner: events for the application and its log, and questions to the
// application. It also keeps the events of one turn until the owner takes them.
//
// The package decides nothing: each component returns outcomes, and the core makes events of those that concern the
// owner. The owner passes an answer of the application to the core as a command, with the token of the question.
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

// A Kind is the kind of an Event.
type Kind uint8

const (
	Message Kind = iota // Data is a message of another node, which arrived by Via; the application owns Data
	Join                // Member became part of the cluster
	Update              // Member's metadata changed
	Leave               // Member died or left: see its State
	Joined              // the Join with Token ended with Err
	Sent                // the reliable message with Send ended with Err
	Ping                // Member answered a Ping of this node after RTT, with Data
	Pinged              // the Ping with that token ended: Err is its error, or RTT the round-trip time
	Log                 // Text is a line for the log, level first

	PayloadWanted // the core needs SetAckPayload

	Departed // the others have received the last Leave, or there are no others
	Conflict // Member is a member, and Other is alive and claims its name
	// Questions to the application. They belong to the Join with Token, or to no Join if Token is zero. Joining reports
	// that the question is part of a Join, here or at the other end.

	StateWanted     // the core needs the application's state: AnswerState with State
	State           // Data is another node's state, owned by the application; then StateMerged
	MergeAsked      // may this cluster merge with Peers? AnswerMerge with State
	AliveAsked      // may Member join, or change to what it is now? AnswerAlive with Vote
	SelectionWanted // which of Peers, whose states began at Since, may be chosen? SetSelection

	Coverage  // From answers wire.UseCoverage: Has reports whether it has the broadcast ID
	Duplicate // a duplicate of the broadcast ID arrived from From; only after Core.SetWatched
)

// Via is the way in which a message arrived.
type Via uint8

const (
	ViaBroadcast Via = iota // to all nodes
	ViaDirect               // to this node only
	ViaRepeat               // to this node, which joined after all nodes had been sent it (PROTOCOL.md U6)
)

// Tokens identify the subject of an Event.
type (
	JoinToken  = joining.Token
	SendToken  = direct.Token
	PingToken  = ping.Token
	StateToken = pushpull.Token
	VoteToken  = pushpull.VoteToken
)

// An Event is a report to the application or its log. Events are in order.
type Event struct {
	Kind   Kind
	Via    Via // of Message
	Data   []byte
	From   wire.NodeID    // of Message, Duplicate and Coverage: the peer that sent the copy, its last piece or the answer
	ID     wire.MessageID // the broadcast
	Size   int            // bytes of the broadcast
	Travel time.Duration  // of Message: half of the round trips on the path of the broadcast; zero if it is unknown
	Made   bool           // of Message: From made the broadcast; unknown for large ones
	Has    bool           // of Coverage
	Member members.Member
	Token  JoinToken
	Send   SendToken
	Ping   PingToken
	RTT    time.Duration
	Err    error
	Text   string

	Heard, DeafSince time.Time // of Leave, as in members.Change

	Other   *members.Member // of Conflict
	State   StateToken
	Vote    VoteToken
	Joining bool
	Peers   []members.Member
	Since   []time.Time // of SelectionWanted
}
