package status

import "time"

// A Kind is what an Event tells.
type Kind string

// The kinds of events. Those of the first group are member events; Status.History has the last of them.
const (
	Joined     Kind = "join"    // Node became a member
	Updated    Kind = "update"  // its metadata or address changed
	Suspected  Kind = "suspect" // it may have failed, says By
	Refuted    Kind = "refute"  // it was suspected, and has shown that it lives
	MemberLeft Kind = "leave"   // it left
	MemberDied Kind = "fail"    // it failed, as found by By

	Received  Kind = "receive"   // the first copy of a broadcast came from Node
	Duplicate Kind = "duplicate" // a further copy of a broadcast came from Node
)

// An Event is something that happened at a node.
type Event struct {
	At   time.Time
	Kind Kind
	Node Node
	By   Node // the zero Node if it is not known

	Message string // of a broadcast: its id; the first 16 digits are the same for all broadcasts of one origin
	Size    int    // of a broadcast: its bytes

	// Missed is how many events were dropped just before this one, because the channel had no room for them.
	Missed uint64
}

// IsMember reports whether the event is a member event.
func (e *Event) IsMember() bool { return e.Kind != Received && e.Kind != Duplicate }
