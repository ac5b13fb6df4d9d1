// Package stats defines the figures of a node: counters since the node was made, and a few gauges.
//
// It owns the meaning of each figure and the component counters that it comes from. It counts nothing itself.
//
// stats.go has the figures, drop.go the reasons for drops, and sources.go the contributions of the components.
package stats

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Stats holds the figures of a core since it was made, in named parts. All figures only grow, except the Gauges.
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

// Traffic counts the datagrams of a node.
type Traffic struct {
	SentDatagrams, SentBytes         uint64
	ReceivedDatagrams, ReceivedBytes uint64
}

// Broadcasts counts the messages to all nodes.
type Broadcasts struct {
	BroadcastsSent      uint64 // messages that this node originated
	BroadcastsDelivered uint64 // messages of other nodes delivered to the application, once each
	BroadcastsForwarded uint64 // copies forwarded, one per link
	BroadcastsDuplicate uint64 // duplicates received
	BroadcastsCrossZone uint64 // copies, including first ones, from a peer of another zone
	BroadcastsHeld      uint64 // kept until the first link was up
	Announced           uint64 // digests sent, one for each origin and link
	Wanted              uint64 // pieces requested because they were announced and did not arrive
	Repaired            uint64 // messages that arrived because they were requested
	Prunes, Grafts      uint64 // requests to links to only announce the messages of an origin, and to send them in full
	Stripes             uint64 // statements to links which stripes of large messages of an origin are taken from them
	Stops               uint64 // requests to links to stop sending a large message

	BeaconsSent       uint64 // beacons of this node, which are not among BroadcastsSent
	BeaconsReceived   uint64 // beacons of other nodes, once each
	BeaconsUnmeasured uint64 // those whose propagation time could not be told
}

// Repair counts what was done about lost packets.
type Repair struct {
	FrameBytes      uint64 // bytes of large messages sent, including retransmissions
	FramesReceived  uint64 // new pieces of large messages
	FramesDuplicate uint64 // duplicate pieces of large messages
	PathsShrunk     uint64 // links whose largest datagrams no longer arrived
	NaksSent        uint64 // ranges of datagrams requested again
	Resent          uint64 // messages and pieces retransmitted
	DatagramsLost   uint64 // datagrams of peers that never arrived despite requests
}

// Messages counts the messages to a single node.
type Messages struct {
	DirectSent      uint64 // messages sent to a single node
	DirectDelivered uint64 // such messages delivered to the application here
	Repeated        uint64 // broadcasts repeated to a member that joined after them
}

// Membership counts the entries of members.
type Membership struct {
	EntriesAlive     uint64 // entries with news about other nodes, or about which the application was asked
	EntriesSuspect   uint64
	EntriesDead      uint64 // failed or left
	MembersForwarded uint64 // membership entries forwarded, one per link
	MembersStale     uint64 // membership entries without news
}

// Exchanges counts the exchanges of application state.
type Exchanges struct {
	StatesSent     uint64 // application states and member lists of this node, including empty ones
	StatesReceived uint64 // non-empty ones of other nodes
	StatesRefused  uint64 // of other nodes, refused because there were too many
	StatesTooLarge uint64 // of this node and of others, not exchanged because they exceed a message
	Vetoed         uint64 // refusals of a node or a cluster by the application
}

// Detection counts the events of failure detection.
type Detection struct {
	ProbesFailed      uint64 // members that no node heard in time
	ProbesIndirect    uint64 // requests to other nodes to probe a member
	SuspicionsRaised  uint64 // by this node
	SuspicionsRefuted uint64 // against this node
}

// Handshakes counts the handshakes of this node.
type Handshakes struct {
	HandshakesStarted   uint64
	HandshakesInitiated uint64 // completed, initiated by this node
	HandshakesAccepted  uint64 // completed, initiated by the peer
	HandshakesFailed    uint64 // attempts that timed out
	HandshakesRejected  uint64 // handshake packets refused, for any reason

	Rejected     [handshake.Reasons]uint64         // the same, by reason
	RejectedFrom [handshake.Reasons]netip.AddrPort // where the last one came from
}

// Gauges describe the present state of a node.
type Gauges struct {
	Members  int // alive and suspect members, including this node
	Links    int // peers with which broadcasts are exchanged
	Sessions int // sessions with keys
	Health   int // local health score; 0 is best
	Queued   int // messages queued for links
	Origins  int // origins for which paths are known
	Parents  int // neighbors from which the messages of an origin are taken in full, summed over all origins

	Known [wire.States]int // nodes by state: members and tombstones

	StateLocal, StateRemote int // bytes of the application state sent last, and of the one received last
}

// Holdings counts the resources of a core at one moment. A test finds leaks by comparing it with that of a core to
// which nothing happened.
type Holdings struct {
	Tombstones int // nodes that failed or left and are remembered
	Peers      int // nodes with a session
	Links      int
	Sessions   int
	Timers     int
	Dials      int // handshakes in progress, or completed and not confirmed
	Joins      int // in progress
	Sends      int // messages to one node that wait for a session or an acknowledgement
	Queued     int // bytes of messages that wait for a link, for retransmission, or for the first link
}
