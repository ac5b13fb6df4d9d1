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

// peer is a node at the other end of at least one session, with what each component keeps of it. It need not be a member,
// nor linked.
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
	receiving assembly.Incoming // that it began to send; some are whole or forgotten

	linked bool                  // it is in core.links
	listed bool                  // it is in Core.cork
	deaf   bool                  // it was silent when its last link ended
	beat   time.Time             // when the next heartbeat is due
	dials  []handshake.AttemptID // that ended with this peer and are not confirmed
}

// roundTrip is the round-trip time to p as far as it is known, and a guess otherwise.
func (p *peer) roundTrip() time.Duration { return p.packets.RoundTrip() }

// Bounds of what a peer may declare about itself.
const (
	heartbeatMin  = 10 * time.Millisecond
	heartbeatMax  = 30 * time.Second
	legacyMessage = 21_000 // bytes of a broadcast that gwyh 0.1 surely takes
)

// heardAge is how long ago a packet of p was opened, in milliseconds rounded up.
func (p *peer) heardAge(now time.Time) uint32 {
	age := min(max(now.Sub(p.set.LastOpened()), 0), 1<<31*time.Millisecond)
	return uint32((age + time.Millisecond - 1) / time.Millisecond)
}

// detection returns what failure detection knows of p, which may be nil.
func (p *peer) detection() *swim.Peer {
	if p == nil {
		return nil
	}
	return &p.swim
}

// pushPeer is what the Exchanger keeps about a peer; nil for none.
func (p *peer) pushPeer() *pushpull.Peer {
	if p == nil {
		return nil
	}
	return &p.push
}

// mayWait reports whether the open datagram for p may wait for company.
func (p *peer) mayWait() bool { return p.neighbor.Busy() && p.packets.HasOpen() }

// idOf returns the id of p, or zero if p is nil.
func idOf(p *peer) wire.NodeID {
	if p == nil {
		return wire.NodeID{}
	}
	return p.id
}

// queueState tells dissemination of the queue of small messages.
func (p *peer) queueState() broadcast.Queue {
	return broadcast.Queue{Full: p.packets.Full(false), Bytes: p.packets.Backlog()}
}

// received is where the messages of a plaintext came from.
type received struct {
	peer    *peer
	channel *packets.Channel
	from    wire.Path
	inner   bool // the plaintext came in pieces, in a direct message of control
}

// holdsUp reports whether a backlog of p slows senders down: p lives, and has shown that it reports.
func (p *peer) holdsUp(now time.Time) bool {
	return !p.swim.Silent(now) && p.packets.Pace().Proven(now)
}
