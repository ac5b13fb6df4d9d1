package gossip

import (
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/overlay"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// peer is a node at the other end of at least one session, with the state that each component keeps about it. It need
// not be a member or have a link.
type peer struct {
	delivery.Peer
	overlay overlay.Peer
	gateway *legacy.Peer // nil for a Go node
	push    pushpull.Peer
	brings  members.Source

	dials []handshake.AttemptID // handshakes that ended with this peer and are not confirmed
}

// PeerBytes returns the size of what a Core keeps about each peer besides its sessions and packets, in bytes.
func PeerBytes() int { return int(memory.Of[peer]()) + delivery.PeerBytes() }

// detection returns the failure detector's state of p, or nil if p is nil.
func (p *peer) detection() *swim.Peer {
	if p == nil {
		return nil
	}
	return &p.Swim
}

// idOf returns the id of p, or zero if p is nil.
func idOf(p *peer) wire.NodeID {
	if p == nil {
		return wire.NodeID{}
	}
	return p.ID
}

// received is the source of the messages of a plaintext.
type received struct {
	peer    *peer
	channel *packets.Channel
	from    wire.Path
	inner   bool // the plaintext arrived in pieces, in a direct message of control
}
