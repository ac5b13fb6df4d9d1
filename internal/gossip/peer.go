package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/overlay"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// peer is a node at the other end of at least one session, with the state that each component keeps about it. It need
// not be a member or have a link.
type peer struct {
	id     wire.NodeID
	legacy bool
	timer  timer.Timer

	sessions  *peers.Peer
	set       *session.Set  // of sessions
	packets   *packets.Peer // of sessions
	swim      swim.Peer
	neighbor  broadcast.Neighbor
	overlay   overlay.Peer
	gateway   *legacy.Peer // nil for a Go node
	push      pushpull.Peer
	direct    direct.Peer
	sync      antientropy.Peer
	brings    members.Source
	receiving assembly.Incoming // messages that it began to send; some are complete or removed

	linked bool                  // the peer is in Core.links
	listed bool                  // the peer is in Core.cork
	deaf   bool                  // the peer was silent when its last link ended
	beat   time.Time             // when the next heartbeat is due
	dials  []handshake.AttemptID // handshakes that ended with this peer and are not confirmed
}

// roundTrip returns the round-trip time to p, or an estimate if it is unknown.
func (p *peer) roundTrip() time.Duration { return p.packets.RoundTrip() }

// Limits for what a peer may declare about itself.
const (
	heartbeatMin  = 10 * time.Millisecond
	heartbeatMax  = 30 * time.Second
	legacyMessage = 21_000 // maximum size of a broadcast that every gwyh 0.1 node accepts, in bytes
)

// heardAge returns the milliseconds since a packet of p was opened, rounded up.
func (p *peer) heardAge(now time.Time) uint32 {
	age := min(max(now.Sub(p.set.LastOpened()), 0), 1<<31*time.Millisecond)
	return uint32((age + time.Millisecond - 1) / time.Millisecond)
}

// detection returns the failure detector's state of p, or nil if p is nil.
func (p *peer) detection() *swim.Peer {
	if p == nil {
		return nil
	}
	return &p.swim
}

// pushPeer returns the Exchanger's state of p, or nil if p is nil.
func (p *peer) pushPeer() *pushpull.Peer {
	if p == nil {
		return nil
	}
	return &p.push
}

// mayWait reports whether the open datagram for p may wait for more messages.
func (p *peer) mayWait() bool { return p.neighbor.Busy() && p.packets.HasOpen() }

// idOf returns the id of p, or zero if p is nil.
func idOf(p *peer) wire.NodeID {
	if p == nil {
		return wire.NodeID{}
	}
	return p.id
}

// queueState returns the state of the queue of small messages for dissemination.
func (p *peer) queueState() broadcast.Queue {
	return broadcast.Queue{Full: p.packets.Full(false), Bytes: p.packets.Backlog()}
}

// received is the source of the messages of a plaintext.
type received struct {
	peer    *peer
	channel *packets.Channel
	from    wire.Path
	inner   bool // the plaintext arrived in pieces, in a direct message of control
}

// holdsUp reports whether a backlog of p causes backpressure: p is not silent, and has shown that it sends reports.
func (p *peer) holdsUp(now time.Time) bool {
	return !p.swim.Silent(now) && p.packets.Pace().Proven(now)
}
