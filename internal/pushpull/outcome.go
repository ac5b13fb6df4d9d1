package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An OutcomeKind says what an Outcome asks of the caller, or tells it.
type OutcomeKind uint8

const (
	// StateWanted asks the application for its state. The answer goes to [Exchanger.AnswerState].
	StateWanted OutcomeKind = iota
	// StateArrived hands Data, the state of another node, to the application. [Exchanger.StateMerged] follows when the
	// application is done with it.
	StateArrived
	// MergeAsked asks the application whether the two clusters may become one. Members are those of the other node.
	// The answer goes to [Exchanger.AnswerMerge].
	MergeAsked
	// AliveAsked asks the application about Member. The answer, with Vote, goes to [Exchanger.AnswerAlive].
	AliveAsked
	// Send asks to send Data to the peer of Exchange until Until, as a message of Use that is acknowledged. It has the
	// id ID, or a new one if ID is zero. The caller tells how that went by [Exchanger.Sent] or [Exchanger.NotSent].
	Send
	// StopSending asks to end the sending of the message ID.
	StopSending
	// SendNothing asks to answer with an empty message of Use and ID to Peer. It is not acknowledged.
	SendNothing
	// SendRefusal asks to tell Peer that its push ID is not taken.
	SendRefusal
	// ListArrived tells that Exchange has brought Members, the members that the peer knows. If Member is not nil, it is the
	// peer itself, which is not a member yet. The caller says what is wrong with it by [Exchanger.JudgeList].
	ListArrived
	// Agreed tells that Join may take in members, and tell its own, from now on.
	Agreed
	// JoinFailed tells that Join ends because of Err.
	JoinFailed
	// JoinAdvanced tells that an exchange that Join waited for has ended.
	JoinAdvanced
	// RoomMade tells that a further exchange may begin: the caller calls [Exchanger.AdvanceJoin] for its Joins.
	RoomMade
	// PullDue tells that it is time for a push/pull with a random member.
	PullDue
	// VetoedHere tells that this node refuses to become one cluster with Peer because of Err.
	VetoedHere
	// VetoedThere tells that Peer refuses this node because of Err.
	VetoedThere
	// StateTooLarge tells that the state of Peer has Size bytes and cannot be exchanged.
	StateTooLarge
	// OwnStateTooLarge tells that this node's own state has Size bytes and cannot be exchanged.
	OwnStateTooLarge
)

// An Outcome is one result of an input to an Exchanger. Kind says which of the other fields are set. What an Outcome
// points to belongs to the caller, except Data of a Send, which is valid until the next input.
type Outcome struct {
	Kind     OutcomeKind
	Use      wire.Use
	Joining  bool // a question that is part of a Join, here or at the other end
	Token    Token
	Vote     VoteToken
	Join     *Join
	Peer     *Peer
	Exchange *Exchange
	ID       wire.MessageID
	Data     []byte
	Until    time.Time
	Member   *members.Member
	Members  []members.Member
	Size     uint64
	Err      error
}
