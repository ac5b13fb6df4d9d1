package status

import "time"

// A Kind is the kind of an Event.
type Kind string

// The kinds of events. The first group are member events; Status.History has the last ones.
const (
	Joined     Kind = "join"    // Node became a member
	Updated    Kind = "update"  // the metadata or address of Node changed
	Suspected  Kind = "suspect" // By suspects that Node has failed
	Refuted    Kind = "refute"  // Node was suspected and has shown that it is alive
	MemberLeft Kind = "leave"   // Node left
	MemberDied Kind = "fail"    // Node failed; By detected that

	Received  Kind = "receive"   // the first copy of a broadcast arrived from Node
	Duplicate Kind = "duplicate" // a further copy of a broadcast arrived from Node
)

// An Event is something that happened at a node.
type Event struct {
	At   time.Time
	Kind Kind
	Node Node
	By   Node // the zero Node if it is unknown

	// Of MemberDied, if the node had a link with Node: it was silent, or it did not hear the node.
	Heard     time.Time // when its last packet arrived; zero without a link
	DeafSince time.Time // when it began to report that it hears nothing from the node; zero if it did not

	Message string // the id of a broadcast; the first 16 digits are the same for all broadcasts of one origin
	Size    int    // the size of a broadcast in bytes

	// Of Received. Broadcasts of more than one datagram, and those that passed a gwyh 0.1 node, carry no travel time.
	Made    bool          // Node itself made the broadcast
	Travel  time.Duration // half of the round trips on the path of the copy; waiting is not included. Zero if it is unknown
	Parents []Node        // the neighbors that the node takes full copies of this origin from; empty before they are chosen

	// Missed is the number of events dropped just before this one because the channel was full.
	Missed uint64
}

// IsMember reports whether the event is a member event.
func (e *Event) IsMember() bool { return e.Kind != Received && e.Kind != Duplicate }
