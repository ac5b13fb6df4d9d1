package gossip

import (
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/legacy"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Stats counts what a core did since it was made. All fields only grow but the gauges at the end.
type Stats struct {
	SentDatagrams, SentBytes         uint64
	ReceivedDatagrams, ReceivedBytes uint64

	BroadcastsSent      uint64 // messages this node originated
	BroadcastsDelivered uint64 // messages of others handed to the application, once each
	BroadcastsForwarded uint64 // copies passed on, one per link
	BroadcastsDuplicate uint64 // further copies that came
	BroadcastsCrossZone uint64 // copies, first ones too, that came from a peer of another zone
	BroadcastsHeld      uint64 // kept until the first link was up

	FrameBytes      uint64 // of large messages sent, again or not
	FramesReceived  uint64 // pieces of large messages that were new
	FramesDuplicate uint64 // and that were not
	Announced       uint64 // messages announced instead of sent, one per link
	Wanted          uint64 // pieces asked for that were announced and did not come
	Prunes, Grafts  uint64 // links asked to announce only, and to send in full
	PathsShrunk     uint64 // links whose largest datagrams did not arrive any more
	NaksSent        uint64 // ranges of datagrams asked for again
	Resent          uint64 // messages and pieces sent again
	DatagramsLost   uint64 // of peers, that never came however often asked for
	DirectSent      uint64 // messages to one node alone
	DirectDelivered uint64 // and handed to the application here
	Repeated        uint64 // broadcasts sent to one member, because it joined after them

	EntriesAlive   uint64 // entries of others that told something new, or were asked about
	EntriesSuspect uint64
	EntriesDead    uint64 // dead and left

	StatesSent     uint64 // states of the application, and lists of members, of our own, empty ones too
	StatesReceived uint64 // and of others, that had something in them
	StatesRefused  uint64 // of others, not taken because there were too many
	StatesTooLarge uint64 // of our own and of others, not exchanged because they are larger than a message
	Vetoed         uint64 // verdicts of the application against a node, or a cluster

	MembersForwarded uint64 // membership entries passed on, one per link
	MembersStale     uint64 // membership entries that told nothing new

	ProbesFailed      uint64 // members that nobody heard in time
	ProbesIndirect    uint64 // requests to other nodes to probe a member
	SuspicionsRaised  uint64 // by this node
	SuspicionsRefuted uint64 // that were against this node

	HandshakesStarted   uint64
	HandshakesInitiated uint64 // ended with a session, this node having begun
	HandshakesAccepted  uint64 // ended with a session, the peer having begun
	HandshakesFailed    uint64 // attempts whose time was up
	HandshakesRejected  uint64 // handshake packets refused, whatever the reason

	Rejected [handshake.Reasons]uint64 // the same, by reason
	Dropped  [dropReasons]uint64       // datagrams and messages dropped, by Drop

	Members  int // alive and suspect members, oneself included
	Links    int // peers that messages are exchanged with
	Sessions int // sessions with keys
	Health   int // how unwell this node is, 0 for well
	Queued   int // messages that wait for their links

	Known [wire.States]int // nodes by state: members, and the dead and departed that are remembered

	StateLocal, StateRemote int // bytes of the application's state that was sent last, and that came last
}

// addPackets adds what the peers counted.
func (s *Stats) addPackets(e *packets.Stats) {
	s.FrameBytes += e.FrameBytes
	s.NaksSent += e.NaksSent
	s.Resent += e.Resent
	s.DatagramsLost += e.DatagramsLost
	s.PathsShrunk += e.PathsShrunk
	s.Dropped[DropUnknownSession] += e.UnknownSession
	s.Dropped[DropMalformedBody] += e.MalformedBody
	s.Dropped[DropUnexpected] += e.Unexpected
	s.Dropped[DropForgotten] += e.Forgotten
	s.Dropped[DropQueueFull] += e.QueueFull
	s.Dropped[DropQueueOld] += e.QueueOld
	s.Dropped[DropUnreachable] += e.Unreachable
}

// addHandshakes adds what happened to handshakes and boxes.
func (s *Stats) addHandshakes(x *peers.Stats) {
	s.HandshakesStarted, s.HandshakesInitiated, s.HandshakesAccepted, s.Rejected = x.Started, x.Initiated, x.Accepted, x.Rejected
	for _, n := range x.Rejected {
		s.HandshakesRejected += n
	}
	s.Dropped[DropHandshake] += s.HandshakesRejected
	s.Dropped[DropUnknownSession] += x.UnknownSession
	s.Dropped[DropForged] += x.Forged
	s.Dropped[DropReplay] += x.Replayed
}

// Drop is why something that arrived went no further.
type Drop uint8

const (
	DropMalformed      Drop = iota // not a packet of PROTOCOL.md 1
	DropMalformedBody              // an opened box whose plaintext is not a sequence of messages
	DropUnknownSession             // a box that no session of ours opens
	DropForged                     // a box whose authenticator is wrong
	DropReplay                     // a box whose counter was seen
	DropHandshake                  // a handshake packet refused
	DropSelf                       // a packet that carries our own id
	DropUnexpected                 // a message that its session may not carry
	DropUnknownBody                // a body of a later version
	DropOversize                   // an entry or message beyond its bound
	DropHeldOld                    // a message that found no link in its time
	DropAddress                    // a member whose address is not allowed
	DropQueueFull                  // a message for a link on which too much waits
	DropQueueOld                   // a message that waited too long for its link
	DropStoreFull                  // a piece of a large message beyond the bounds of its peer or of the node
	DropIncomplete                 // a large message that did not come whole
	DropForgotten                  // a repair of what is no longer there
	DropUnreachable                // a direct message to a node that did not answer
	DropVersions                   // a member that does not understand the others, or is not understood
	DropAnnounced                  // a message that was announced and did not come, however often asked for
	DropOutrun                     // a message that did not come before 65,536 later ones of its origin had
	DropLegacySize                 // a broadcast of more bytes than gwyh 0.1 takes, for a link with such a node
	dropReasons
)

var dropNames = [dropReasons]string{"malformed", "malformed_body", "unknown_session", "forged", "replay",
	"handshake", "self", "unexpected", "unknown_body", "oversize", "held_old", "address", "queue_full",
	"queue_old", "store_full", "incomplete", "forgotten", "unreachable",
	"versions", "announced", "outrun", "legacy_size"}

// String is the label that the drop is counted under.
func (d Drop) String() string { return dropNames[d] }

// Drops lists all reasons, for those who publish them.
func Drops() []Drop {
	all := make([]Drop, dropReasons)
	for i := range all {
		all[i] = Drop(i)
	}
	return all
}

// addPushPull adds what the exchanges with other nodes count.
func (s *Stats) addPushPull(x *pushpull.Stats) {
	s.StatesSent, s.StatesReceived, s.StatesRefused, s.StatesTooLarge = x.Sent, x.Received, x.Refused, x.TooLarge
	s.Vetoed, s.StateLocal, s.StateRemote = x.Vetoed, x.LocalSize, x.RemoteSize
	s.Dropped[DropMalformedBody] += x.Malformed
	s.Dropped[DropUnexpected] += x.Unexpected
	s.Dropped[DropQueueFull] += x.Crowded
	s.Dropped[DropVersions] += x.Unfit
}

// addDetection adds what the failure detector counts.
func (s *Stats) addDetection(x *swim.Stats) {
	s.ProbesFailed, s.ProbesIndirect = x.ProbesFailed, x.ProbesIndirect
	s.SuspicionsRaised, s.SuspicionsRefuted = x.SuspicionsRaised, x.SuspicionsRefuted
	s.MembersStale += x.AccusationsStale
}

// addLegacy adds what is left undone of what gwyh 0.1 nodes ask for.
func (s *Stats) addLegacy(x *legacy.Stats) {
	s.MembersStale += x.Stale
	s.Dropped[DropMalformedBody] += x.Malformed
	s.Dropped[DropUnexpected] += x.Unexpected
	s.Dropped[DropOversize] += x.Excess
	s.Dropped[DropAddress] += x.Address
}
