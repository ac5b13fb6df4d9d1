// Package status describes the state of one node of a cluster at one moment: the members, the node's links, queued and
// dropped messages, suspicions, and what an operator should look at. A Memberlist returns a consistent [Status], and
// sends each [Event] from then on. The package only holds data. To read it: status.go, event.go, metric.go.
//
// All values are copies. Other nodes chose names, zones and addresses, so quote or escape them for display.
package status

import (
	"net/netip"
	"time"
)

// A Status is the state of a node at one moment.
type Status struct {
	At   time.Time // when it was taken, by the node's clock
	Self Node
	// Health is the node's local health score, from 0 (best) to Config.AwarenessMaxMultiplier - 1.
	Health int
	Alone  bool // nothing arrives from any other node

	Members    []Member    // live members, and up to TombstonesMax that failed or left, by name
	Tombstones int         // nodes that failed or left and are remembered
	Links      []Link      // by name
	Suspicions []Suspicion // of live members, the oldest first
	History    []Event     // the last member events, at most HistoryMax, the oldest first
	Drops      []Drop      // one for every reason, including those that never occurred
	Refusals   []Drop      // refused handshakes by reason, including reasons that never occurred
	Keys       []Key       // the primary key first

	// Propagation and Origins are empty unless nodes send beacons (Config.BeaconInterval).
	Propagation []Propagation // by zone
	Origins     []Origin      // at most OriginsMax; those that are behind first

	Warnings []Warning // the current ones
}

// Bounds of a Status.
const (
	TombstonesMax = 256 // the latest members that failed or left
	HistoryMax    = 256 // events
	OriginsMax    = 256 // nodes that send beacons
)

// A Node identifies a node.
type Node struct {
	ID   string // a UUID, which differs from those of earlier runs of the node
	Name string // empty if it is unknown
	Addr netip.AddrPort
	Zone string // empty if there is none
}

// A State is the state of a member as the node sees it.
type State string

// The states of a member.
const (
	Alive   State = "alive"
	Suspect State = "suspect" // may have failed; counts as a member until that is decided
	Failed  State = "failed"
	Left    State = "left"
)

// A Member is a member as the node sees it, including the node itself.
type Member struct {
	Node
	State       State
	Since       time.Time // when it entered the State
	Incarnation uint64
	MetaSize    int           // bytes of its metadata
	RTT         time.Duration // last measured round trip; zero if never measured
	Legacy      bool          // a gwyh 0.1 node

	ProtocolMin, ProtocolMax, ProtocolCur uint8 // versions of gwyh's protocol: oldest, newest and current
	DelegateMin, DelegateMax, DelegateCur uint8 // versions of the application's protocol: oldest, newest and current

	FoundBy Node // for a failed member, the node that detected the failure; the zero Node if that is unknown
}

// A Link is a neighbor. The node and the neighbor exchange broadcasts in both directions.
type Link struct {
	Node
	Subscription bool // the node chose the neighbor
	Subscriber   bool // the neighbor chose the node

	RTT       time.Duration // last measured round trip; zero if never measured
	Loss      float64       // share of the bytes sent recently that did not arrive the first time, from 0 to 1
	Heard     time.Time     // when its last packet arrived
	DeafSince time.Time     // since when the neighbor reports that it hears nothing from the node; zero if it hears it

	Backlog   int     // bytes of small messages queued for it
	Queued    int     // number of small messages queued for it
	Transfers int     // large messages in transfer to it
	Rate      float64 // bytes per second that congestion control allows now
	Sent      uint64  // bytes of all packets sent to it since the session began
	MTU       int     // bytes of the largest datagram known to reach it
	Narrow    bool    // the path does not carry datagrams of Config.UDPBufferSize
}

// A Suspicion lasts from the first accusation of a live member until the member refutes it or counts as failed.
type Suspicion struct {
	Node
	Began       time.Time
	Incarnation uint64 // the accused incarnation
	Accusers    []Node // in the order of their accusations
}

// A Drop counts what was discarded for one reason. docs/METRICS.md lists the reasons.
type Drop struct {
	Reason string
	Count  uint64    // since Create
	Last   time.Time // when Count last grew, to the second; zero if never

	From netip.AddrPort // where the last refused handshake came from; the zero AddrPort for all other drops
}

// A Key is a pre-shared key that the node accepts.
type Key struct {
	Fingerprint string // see gwyh.KeyFingerprint; empty if Weak, because a fingerprint reveals a weak key
	Primary     bool   // the key offered first
	Weak        bool   // the key can be guessed
	Default     bool   // the public default key
}

// A Propagation tells how long beacons of the members of one zone take to reach the node.
type Propagation struct {
	Zone  string    // empty for members without a zone
	Count uint64    // beacons measured since Create
	Heard time.Time // when the last of them arrived

	// Of the last beacons, at most 128, half took no longer than Median, 95 % no longer than P95, and none longer than Max.
	Median, P95, Max time.Duration

	// Margin is half of the round trips on the path of the last beacon. This is the maximum error of the
	// times if the two directions of that path differ.
	Margin time.Duration
}

// An Origin is a live member whose beacons reach the node.
type Origin struct {
	Node
	Heard    time.Time     // when its last beacon arrived
	Interval time.Duration // until its next beacon, as it said then
	Overdue  bool          // its last three beacons did not arrive
	Took     time.Duration // the time that its last beacon took
	Measured bool          // Took is known
}

// A Code is the subject of a Warning.
type Code string

// The codes of warnings.
const (
	WeakKey         Code = "weak-key"         // a key is the default one or can be guessed
	NameTaken       Code = "name-taken"       // another live node has the name of the node, and has had it for longer
	CannotSend      Code = "cannot-send"      // the system does not accept datagrams from the node
	Clock           Code = "clock"            // handshakes were refused recently because the clocks differ
	WrongKey        Code = "wrong-key"        // handshakes were refused recently because the key or the label differs
	NarrowPath      Code = "narrow-path"      // the path to a neighbor does not carry datagrams of Config.UDPBufferSize
	DeafNeighbor    Code = "deaf-neighbor"    // a neighbor reports that it hears nothing from the node
	DeafNode        Code = "deaf-node"        // a node began handshakes recently and did not receive the answers
	NobodyHeard     Code = "nobody-heard"     // nothing arrives from any other node
	Unwell          Code = "unwell"           // the node is slow or loses packets: Status.Health is above 0
	SlowApplication Code = "slow-application" // messages were dropped recently because NotifyMsg took too long
)

// Codes lists all codes.
var Codes = []Code{WeakKey, NameTaken, CannotSend, Clock, WrongKey, NarrowPath, DeafNeighbor, DeafNode, NobodyHeard, Unwell, SlowApplication}

// A Warning is something that an operator should look at.
type Warning struct {
	Code  Code
	Text  string    // one or two sentences without keys
	Node  Node      // the node concerned; the zero Node for this node
	Since time.Time // zero if it is unknown
}
