// Package stats has the figures of a node: what it counted since it was made, and a few gauges.
//
// It owns what each figure means and which counter of which component it comes from. It counts nothing itself.
//
// stats.go has the figures, drop.go why something that arrived went no further, and sources.go what each component adds.
package stats

import (
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Stats counts what a core did since it was made, in parts whose figures have names of their own. All figures only grow,
// except the Gauges.
type Stats struct {
	Traffic
	Broadcasts
	Repair
	Messages
	Membership
	Exchanges
	Detection
	Handshakes
	Gauges
	Dropped [dropReasons]uint64 // datagrams and messages dropped, by Drop
}

// Traffic is the datagrams of a node.
type Traffic struct {
	SentDatagrams, SentBytes         uint64
	ReceivedDatagrams, ReceivedBytes uint64
}

// Broadcasts are the messages to all nodes.
type Broadcasts struct {
	BroadcastsSent      uint64 // messages this node originated
	BroadcastsDelivered uint64 // messages of others handed to the application, once each
	BroadcastsForwarded uint64 // copies passed on, one per link
	BroadcastsDuplicate uint64 // further copies that came
	BroadcastsCrossZone uint64 // copies, first ones too, that came from a peer of another zone
	BroadcastsHeld      uint64 // kept until the first link was up
	Announced           uint64 // digests sent, one for each origin and link
	Wanted              uint64 // pieces asked for that were announced and did not come
	Repaired            uint64 // messages that came because they were asked for
	Prunes, Grafts      uint64 // links asked to announce the messages of an origin only, and to send them in full
	Stops               uint64 // links asked to send no more of a large message
}

// Repair is what it takes to get messages across.
type Repair struct {
	FrameBytes      uint64 // of large messages sent, again or not
	FramesReceived  uint64 // pieces of large messages that were new
	FramesDuplicate uint64 // and that were not
	PathsShrunk     uint64 // links whose largest datagrams did not arrive any more
	NaksSent        uint64 // ranges of datagrams asked for again
	Resent          uint64 // messages and pieces sent again
	DatagramsLost   uint64 // of peers, that never came however often asked for
}

// Messages are those to one node alone.
type Messages struct {
	DirectSent      uint64 // messages to one node alone
	DirectDelivered uint64 // and handed to the application here
	Repeated        uint64 // broadcasts sent to one member, because it joined after them
}

// Membership is the entries of members.
type Membership struct {
	EntriesAlive     uint64 // entries of others that told something new, or were asked about
	EntriesSuspect   uint64
	EntriesDead      uint64 // dead and left
	MembersForwarded uint64 // membership entries passed on, one per link
	MembersStale     uint64 // membership entries that told nothing new
}

// Exchanges are those of the states of applications.
type Exchanges struct {
	StatesSent     uint64 // states of the application, and lists of members, of our own, empty ones too
	StatesReceived uint64 // and of others, that had something in them
	StatesRefused  uint64 // of others, not taken because there were too many
	StatesTooLarge uint64 // of our own and of others, not exchanged because they are larger than a message
	Vetoed         uint64 // verdicts of the application against a node, or a cluster
}

// Detection is that of failures.
type Detection struct {
	ProbesFailed      uint64 // members that nobody heard in time
	ProbesIndirect    uint64 // requests to other nodes to probe a member
	SuspicionsRaised  uint64 // by this node
	SuspicionsRefuted uint64 // that were against this node
}

// Handshakes are those that this node has taken part in.
type Handshakes struct {
	HandshakesStarted   uint64
	HandshakesInitiated uint64 // ended with a session, this node having begun
	HandshakesAccepted  uint64 // ended with a session, the peer having begun
	HandshakesFailed    uint64 // attempts whose time was up
	HandshakesRejected  uint64 // handshake packets refused, whatever the reason

	Rejected [handshake.Reasons]uint64 // the same, by reason
}

// Gauges say how a node is now.
type Gauges struct {
	Members  int // alive and suspect members, oneself included
	Links    int // peers that messages are exchanged with
	Sessions int // sessions with keys
	Health   int // how unwell this node is, 0 for well
	Queued   int // messages that wait for their links
	Origins  int // nodes of whose messages the paths are known
	Parents  int // neighbors that messages of an origin are taken from in full, for all origins together

	Known [wire.States]int // nodes by state: members, and the dead and departed that are remembered

	StateLocal, StateRemote int // bytes of the application's state that was sent last, and that came last
}

// Holdings counts what a core keeps at a moment. Whoever drives it can tell what is left over of
// something by comparing with a core to which nothing happened.
type Holdings struct {
	Tombstones int // nodes that died or left and are remembered
	Peers      int // nodes with a session
	Links      int
	Sessions   int
	Timers     int
	Dials      int // handshakes under way, or done and not confirmed
	Joins      int // under way
	Sends      int // messages to one node that wait for a session or an acknowledgement
	Queued     int // bytes of messages that wait for a link or to be repaired, or for the first link
}
