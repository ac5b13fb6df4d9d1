package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An OutcomeKind says what an Outcome asks of the caller or reports to it.
type OutcomeKind uint8

const (
	// StateWanted asks the application for its state. The answer goes to [Exchanger.AnswerState].
	StateWanted OutcomeKind = iota
	// StateArrived passes Data, the state of another node, to the application. The caller calls [Exchanger.StateMerged]
	// when the application is done with it.
	StateArrived
	// MergeAsked asks the application whether the two clusters may become one. Members are those of the other node. The
	// answer goes to [Exchanger.AnswerMerge].
	MergeAsked
	// AliveAsked asks the application about Member. The answer, with Vote, goes to [Exchanger.AnswerAlive].
	AliveAsked
	// Send asks the caller to send Data to the peer of Exchange until Until, as an acknowledged message of Use, with the
	// id ID, or a new id if ID is zero. The caller reports the result with [Exchanger.Sent] or [Exchanger.NotSent].
	Send
	// StopSending asks the caller to stop sending the message ID.
	StopSending
	// SendNothing asks the caller to send Peer an empty answer with Use and ID. It is not acknowledged.
	SendNothing
	// SendRefusal asks the caller to send Peer a refusal of its push ID.
	SendRefusal
	// ListArrived reports that Exchange brought Members, the members that the peer knows. If Member is not nil, it is
	// the peer itself, which is not a member yet. The caller passes its own verdict to [Exchanger.JudgeList].
	ListArrived
	// Agreed reports that Join may exchange members from now on.
	Agreed
	// JoinFailed reports that Join ends because of Err.
	JoinFailed
	// JoinAdvanced reports that an exchange that Join waited for has ended.
	JoinAdvanced
	// RoomMade reports that a further exchange may begin: the caller calls [Exchanger.AdvanceJoin] for its Joins.
	RoomMade
	// Pull asks the caller to do a push/pull with the member Entry.
	Pull
	// SelectionWanted asks the application which members may be chosen, for a push/pull with one of them. The caller then
	// calls [Exchanger.Selected].
	SelectionWanted
	// Subscribes reports that Peer asked to subscribe while the application was deciding about it. The request is answered now.
	Subscribes
	// VetoedHere reports that this node refuses to become one cluster with Peer because of Err.
	VetoedHere
	// VetoedByPeer reports that Peer refuses this node because of Err.
	VetoedByPeer
	// StateTooLarge reports that the state of Peer has Size bytes and cannot be exchanged.
	StateTooLarge
	// OwnStateTooLarge reports that this node's own state has Size bytes and cannot be exchanged.
	OwnStateTooLarge
)

// An Outcome is one result of an input to an Exchanger. Kind says which of the other fields are set. The caller owns
// what an Outcome points to, except Data of a Send, which is valid until the next input.
type Outcome struct {
	Kind     OutcomeKind
	Use      wire.Use
	Joining  bool // the question is part of a Join at either end
	Token    Token
	Vote     VoteToken
	Join     *Join
	Peer     *Peer
	Exchange *Exchange
	ID       wire.MessageID
	Data     []byte
	Until    time.Time
	Entry    *members.Entry
	Member   *members.Member
	Members  []members.Member
	Size     uint64
	Err      error
}
