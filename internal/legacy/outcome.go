package legacy

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An OutcomeKind says what an Outcome asks the caller to do, or reports to it.
type OutcomeKind uint8

const (
	// Ping asks to send an empty Frame to Peer, which answers without side effects.
	Ping OutcomeKind = iota
	// Request asks to send Peer the request Request.
	Request
	// Subscribe asks to subscribe to Peer, with which there is a session.
	Subscribe
	// Resubscribe asks to repeat the StartSubscription to Peer.
	Resubscribe
	// Serve asks to add Peer as a subscriber.
	Serve
	// Confirmed reports that Peer has confirmed the subscription of this node, if there was a request for one.
	Confirmed
	// EndLink asks to end the link with Peer without notifying it.
	EndLink
	// Shake asks to begin a handshake with Peer at the source address of its packets.
	Shake
	// Dial asks to begin a handshake with the node ID at Addr.
	Dial
	// ContactAddr asks to compare members with whichever node is at Addr.
	ContactAddr
	// ContactNode asks to compare members with the node ID at Addr.
	ContactNode
	// Choose asks to subscribe to the member ID, after a handshake if there is no session.
	Choose
	// Avoid asks to exclude the member ID from the next choices.
	Avoid
	// Introduce asks to make Peer a member by Entry, which no Go node has sent. If Peer becomes a member, the caller
	// calls [Gateway.Introduced].
	Introduce
	// Renewed reports that Member has a higher incarnation, which must be sent to the Go nodes.
	Renewed
	// Dead asks to declare Member dead.
	Dead
	// PassQuestion asks to send the query of the node By whether Member is heard to all linked Go nodes except the node
	// From. The query is a suspect entry with Incarnation.
	PassQuestion
	// SendEntry asks to send the entry of Member to the Go node ID.
	SendEntry
	// StatusArrived reports a PeerStatus of the peer From. If it is new, the caller calls [Gateway.HandleStatus].
	StatusArrived
	// PassStatus asks to send the PeerStatus ID about Of to all linked gwyh 0.1 peers except the node From.
	PassStatus
	// AnnounceStatus asks to send a PeerStatus of this node about Of to all linked gwyh 0.1 peers.
	AnnounceStatus
	// CalledDown reports that gwyh 0.1 nodes consider this node down.
	CalledDown
)

// An Outcome is one result of an input to a Gateway. Kind says which of the other fields are set. The memory that an
// Outcome points to is valid until the next input.
type Outcome struct {
	Kind        OutcomeKind
	Request     wire.Kind
	Up          bool // the PeerStatus states that the node is up
	Peer        *Peer
	ID          wire.NodeID
	From, By    wire.NodeID
	Incarnation uint64
	Member      *members.Entry
	Entry       *wire.Member
	Addr        netip.AddrPort
	Status      wire.MessageID
	Of          wire.Peer
}

// of returns a member in the form of a PeerStatus.
func of(m *members.Entry) wire.Peer { return wire.Peer{Addr: m.Addr, ID: m.ID, Zone: m.Zone} }

func announcement(m *members.Entry, up bool) Outcome {
	return Outcome{Kind: AnnounceStatus, Of: of(m), Up: up}
}
