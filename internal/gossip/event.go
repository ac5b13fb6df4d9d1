package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/pushpull"
)

// EventKind is what an Event tells.
type EventKind uint8

const (
	EventMessage EventKind = iota // Data is a message of another node, which came as Via says; the application's to keep
	EventJoin                     // Member became part of the cluster
	EventUpdate                   // Member's metadata changed
	EventLeave                    // Member died or left: see its State
	EventJoined                   // the Join with Token ended, Err says how
	EventSent                     // the reliable message with Send ended, Err says how
	EventPing                     // Member answered a Ping of ours after RTT, with Data
	EventPinged                   // the Ping with that token ended: Err says how, or RTT is the time it took
	EventLog                      // Text is a line for the log, level first

	EventPayloadWanted // SetAckPayload is wanted

	EventDeparted // the last Leave has been heard, or nobody is there to hear it
	EventConflict // Member is a member, Other claims its name and lives too
	// The application is asked, in the Join of Token or, if that is zero, by whoever has time. Joining
	// tells that it is part of a Join, here or at the other end.

	EventStateWanted     // AnswerState, with State, wants the application's state
	EventState           // Data is another's state, the application's to keep; StateMerged is told when it is done
	EventMergeAsked      // AnswerMerge, with State: may we become one cluster with Peers?
	EventAliveAsked      // AnswerAlive, with Vote: may Member be a member, or be as it says now?
	EventSelectionWanted // SetSelection: which of Peers, that are as they are since Since, may be chosen?
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

// A Member is what a node knows of another, or of itself.
type Member = members.Member

// An Event is something that the application or its log is to hear of. Events come in order.
type Event struct {
	Kind   EventKind
	Via    Via // of EventMessage
	Data   []byte
	Member Member
	Token  JoinToken
	Send   SendToken
	Ping   PingToken
	RTT    time.Duration
	Err    error
	Text   string

	Other   *Member // of EventConflict
	State   StateToken
	Vote    VoteToken
	Joining bool
	Peers   []Member
	Since   []time.Time // of EventSelectionWanted
}

// events is what the application is to hear of.
type events struct {
	queue, spare []Event
	most         int // of one turn since rest was last called
}

func (q *events) add(e Event) { q.queue = append(q.queue, e) }

// take returns what was added since the last call; it is valid until the next call.
func (q *events) take() []Event {
	taken := q.queue
	q.queue = q.spare[:0]
	if q.spare = taken; cap(taken) > eventsKeep {
		q.spare = nil
	}
	q.most = max(q.most, len(taken))
	return taken
}

// eventsKeep is how many events there is room kept for between turns, and eventsRest at rest.
const (
	eventsKeep = 256
	eventsRest = 16
)

// rest gives back what a burst took, if no turn since the last call came near to needing it.
func (q *events) rest() {
	most := max(eventsRest, 4*q.most)
	if cap(q.queue) > most && len(q.queue) == 0 {
		q.queue = nil
	}
	if cap(q.spare) > most {
		q.spare = nil
	}
	q.most = 0
}

// emit tells the application of a change that it can see.
func (q *events) emit(change members.Change) {
	if change.Kind != members.Unseen {
		q.emitMember(eventOf[change.Kind], change.Member)
	}
}

func (q *events) emitMember(kind EventKind, m *members.Entry) {
	q.add(Event{Kind: kind, Member: m.Member})
}

// eventOf is what the application hears of a change.
var eventOf = [...]EventKind{members.Joined: EventJoin, members.Updated: EventUpdate, members.Died: EventLeave, members.Left: EventLeave}
