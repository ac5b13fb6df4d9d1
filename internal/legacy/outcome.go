package legacy

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An OutcomeKind says what an Outcome asks of the caller, or tells it.
type OutcomeKind uint8

const (
	// Ping asks to send an empty Frame to Peer, which answers without side effects.
	Ping OutcomeKind = iota
	// Request asks to send Peer the request Request.
	Request
	// Subscribe asks to subscribe to Peer, with which there is a session.
	Subscribe
	// Resubscribe asks to repeat to Peer that this node subscribes.
	Resubscribe
	// Serve asks to take Peer for a subscriber.
	Serve
	// Confirmed tells that Peer has confirmed that this node subscribes, if it was asked.
	Confirmed
	// EndLink asks to end the link with Peer without telling it.
	EndLink
	// Shake asks to begin a handshake with Peer where its packets come from.
	Shake
	// Dial asks to begin a handshake with the node ID at Addr.
	Dial
	// Meet asks to compare members with whichever node is at Addr.
	Meet
	// MeetNode asks to compare members with the node ID at Addr.
	MeetNode
	// Choose asks to subscribe to the member ID, after a handshake if there is no session.
	Choose
	// Avoid asks to leave the member ID out of the next choices.
	Avoid
	// Introduce asks to make Peer a member by Entry, which no Go node has sent. [Gateway.Introduced] follows if it
	// becomes one.
	Introduce
	// Renewed tells that Member has a higher incarnation, which the Go nodes are to hear.
	Renewed
	// Dead asks to declare Member dead.
	Dead
	// PassQuestion asks to send the question of the node By whether somebody hears Member to all linked Go nodes except
	// the node From. It is a suspect entry with Incarnation.
	PassQuestion
	// Tell asks to send the entry of Member to the Go node ID.
	Tell
	// StatusArrived tells of a PeerStatus of the peer From. [Gateway.HandleStatus] follows if this node has not seen it before.
	StatusArrived
	// PassStatus asks to send the PeerStatus ID about Of to all linked gwyh 0.1 peers except the node From.
	PassStatus
	// AnnounceStatus asks to send a PeerStatus of this node about Of to all linked gwyh 0.1 peers.
	AnnounceStatus
	// CalledDown tells that gwyh 0.1 nodes take this node for down.
	CalledDown
)

// An Outcome is one result of an input to a Gateway. Kind says which of the other fields are set. What an Outcome points
// to is valid until the next input.
type Outcome struct {
	Kind        OutcomeKind
	Request     wire.Kind
	Up          bool // a PeerStatus says that the node is up
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

// of is a member as a PeerStatus has it.
func of(m *members.Entry) wire.Peer { return wire.Peer{Addr: m.Addr, ID: m.ID, Zone: m.Zone} }

func announcement(m *members.Entry, up bool) Outcome {
	return Outcome{Kind: AnnounceStatus, Of: of(m), Up: up}
}
