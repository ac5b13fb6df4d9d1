// Package status describes what one node of a cluster knows at one moment: the members, its links, what waits to be sent,
// what was dropped and why, who is suspected, and what an operator should look at. A Memberlist returns a [Status] of one
// consistent moment, and sends each [Event] from then on.
//
// The values are copies. Names, zones and addresses were chosen by other nodes: quote or escape them where they are shown.
package status

import (
	"net/netip"
	"time"
)

// A Status is what a node knows at one moment.
type Status struct {
	At   time.Time // when it was taken, by the node's clock
	Self Node
	// Health is how unwell the node is itself, from 0 for well up to Config.AwarenessMaxMultiplier - 1.
	Health int
	Alone  bool // nothing comes from any other node

	Members    []Member    // live members, and up to TombstonesMax that failed or left, by name
	Tombstones int         // nodes that failed or left and are remembered
	Links      []Link      // by name
	Suspicions []Suspicion // of live members, the oldest first
	History    []Event     // the last member events, at most HistoryMax, the oldest first
	Drops      []Drop      // every reason, those that never occurred too
	Refusals   []Drop      // the handshakes that were refused, by reason, likewise
	Keys       []Key       // the primary one first
	Warnings   []Warning   // that are in force
}

// Bounds of a Status.
const (
	TombstonesMax = 256 // members that failed or left, the latest ones
	HistoryMax    = 256 // events
)

// A Node names a node.
type Node struct {
	ID   string // a UUID, which tells this run of the node from earlier ones of its name
	Name string // empty if it is not known
	Addr netip.AddrPort
	Zone string // empty for none
}

// A State is what the node believes of a member.
type State string

// The states of a member.
const (
	Alive   State = "alive"
	Suspect State = "suspect" // it may have failed, and counts as a member until that is decided
	Failed  State = "failed"
	Left    State = "left"
)

// A Member is what the node knows of a member, of itself too.
type Member struct {
	Node
	State       State
	Since       time.Time // when it entered the State
	Incarnation uint64
	MetaSize    int           // bytes of its metadata
	RTT         time.Duration // last measured round trip; zero if it never was
	Legacy      bool          // a node of gwyh 0.1

	ProtocolMin, ProtocolMax, ProtocolCur uint8 // versions of the protocol that it understands, and the one it speaks
	DelegateMin, DelegateMax, DelegateCur uint8 // those of the application's protocol

	FoundBy Node // if it failed: the node that found that out; the zero Node if that is not known
}

// A Link is a neighbor, with which the node exchanges broadcasts in both directions.
type Link struct {
	Node
	Subscription bool // the node chose the neighbor
	Subscriber   bool // the neighbor chose the node

	RTT       time.Duration // last measured round trip; zero if it never was
	Loss      float64       // share of the bytes sent to it lately that did not arrive the first time, from 0 to 1
	Heard     time.Time     // when a packet of it last arrived
	DeafSince time.Time     // since when it says that it hears nothing of the node; zero if it hears the node

	Backlog   int     // bytes of small messages that wait to be sent to it
	Queued    int     // how many these are
	Transfers int     // large messages that are on their way to it
	Rate      float64 // bytes per second that the congestion control allows now
	Sent      uint64  // bytes of all packets sent to it since the session began
	MTU       int     // bytes of the largest datagram that is known to reach it
	Narrow    bool    // its path does not carry datagrams of Config.UDPBufferSize
}

// A Suspicion is held against a live member from the first accusation until it refutes or counts as failed.
type Suspicion struct {
	Node
	Began       time.Time
	Incarnation uint64 // that is accused
	Accusers    []Node // in the order of their accusations
}

// A Drop counts what went no further, for one reason. docs/METRICS.md lists the reasons.
type Drop struct {
	Reason string
	Count  uint64    // since Create
	Last   time.Time // when Count last grew, to the second; zero if it never did
}

// A Key is a pre-shared key that the node accepts.
type Key struct {
	Fingerprint string // see gwyh.KeyFingerprint; empty if Weak, because a weak key could be found by its fingerprint
	Primary     bool   // it is offered first
	Weak        bool   // it can be guessed
	Default     bool   // it is the well-known default key
}

// A Code says what a Warning is about.
type Code string

// The codes of warnings.
const (
	WeakKey         Code = "weak-key"         // a key is the default one, or can be guessed
	Clock           Code = "clock"            // handshakes were refused lately because the clocks differ
	WrongKey        Code = "wrong-key"        // handshakes were refused lately because the key or the label differs
	NarrowPath      Code = "narrow-path"      // the path to a neighbor does not carry datagrams of Config.UDPBufferSize
	DeafNeighbor    Code = "deaf-neighbor"    // a neighbor says that it hears nothing of the node
	NobodyHeard     Code = "nobody-heard"     // nothing comes from any other node
	Unwell          Code = "unwell"           // the node is slow or loses packets: Status.Health is above 0
	SlowApplication Code = "slow-application" // messages were dropped lately because NotifyMsg took too long
)

// Codes are all codes.
var Codes = []Code{WeakKey, Clock, WrongKey, NarrowPath, DeafNeighbor, NobodyHeard, Unwell, SlowApplication}

// A Warning is something that an operator should look at.
type Warning struct {
	Code  Code
	Text  string    // one or two sentences, which show no key
	Node  Node      // the node that it is about; the zero Node if it is about this one
	Since time.Time // zero if that is not known
}
