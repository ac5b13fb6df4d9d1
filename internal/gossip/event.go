package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
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

// Events returns what has happened since the last call; it is valid until the next input.
func (c *Core) Events() []Event {
	e := c.events
	if c.cfg.Trace != nil {
		c.traceEvents(e)
	}
	c.events = c.eventsSpare[:0]
	if c.eventsSpare = e; cap(e) > eventsKeep {
		c.eventsSpare = nil
	}
	c.eventsMost = max(c.eventsMost, len(e))
	return e
}

// eventsKeep is how many events there is room kept for between turns, and eventsRest at rest.
const (
	eventsKeep = 256
	eventsRest = 16
)

// restEvents gives back what a burst took, if no turn since the last call came near to needing it.
func (c *Core) restEvents() {
	if most := max(eventsRest, 4*c.eventsMost); cap(c.events) > most && len(c.events) == 0 {
		c.events = nil
	}
	if most := max(eventsRest, 4*c.eventsMost); cap(c.eventsSpare) > most {
		c.eventsSpare = nil
	}
	c.eventsMost = 0
}

// eventOf is what the application hears of a change.
var eventOf = [...]EventKind{members.Joined: EventJoin, members.Updated: EventUpdate, members.Died: EventLeave, members.Left: EventLeave}

// emitChange tells the application of a change that it can see.
func (c *Core) emitChange(change members.Change) {
	if change.Kind != members.Unseen {
		c.emitMember(eventOf[change.Kind], change.Member)
	}
}

func (c *Core) emitMember(kind EventKind, m *members.Entry) {
	c.events = append(c.events, Event{Kind: kind, Member: m.Member})
}
