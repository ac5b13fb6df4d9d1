package delivery

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/memory"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Peer is a node that messages are sent to, with what each component that sends keeps about it. [Delivery.Add]
// initializes it. It must not be copied.
type Peer struct {
	ID       wire.NodeID
	Node     *peers.Peer
	Sessions *session.Set  // of Node
	Packets  *packets.Peer // of Node

	Timer     timer.Timer // for all that is due for the peer; the caller sets Fire
	Swim      swim.Peer
	Neighbor  broadcast.Neighbor
	clock     *beacon.Clock // see clockOf; nil until one of the two nodes has sent its own
	Direct    direct.Peer
	Sync      antientropy.Peer
	Receiving assembly.Incoming // messages that it began to send; some are complete or removed

	answered *answer // see NoteAnsweredAt; nil for none

	Beat     time.Time // when the next heartbeat is due, if it is linked
	Legacy   bool      // it speaks gwyh 0.1
	Waits    bool      // its entry is acceptable, but another node has its name
	NewRun   bool      // the same, and it may be a new run of that node
	Linked   bool      // there is a link with it
	admitted bool      // broadcasts and news are exchanged over the link
	listed   bool      // it has an open datagram (Sender.unsealed)
}

// answer is the last answer to a handshake of this node.
type answer struct {
	to netip.AddrPort // where the handshake was sent
	at time.Time
}

// PeerBytes returns the maximum memory that a Peer refers to and owns, apart from its packets, in bytes.
func PeerBytes() int { return int(memory.Of[beacon.Clock]() + memory.Of[answer]()) }

// answeredFor is how long a handshake shows which node is at an address.
const answeredFor = 10 * time.Second

// NoteAnsweredAt records that p has answered a handshake of this node that was sent to an address.
func (p *Peer) NoteAnsweredAt(now time.Time, at netip.AddrPort) {
	p.answered = &answer{to: at, at: now}
}

// HasAnsweredAt reports whether p has answered a handshake of this node at an address a short time ago. Only a node that
// receives what is sent to the address can answer it.
func (p *Peer) HasAnsweredAt(now time.Time, at netip.AddrPort) bool {
	return p.answered != nil && p.answered.to == at && now.Sub(p.answered.at) <= answeredFor
}

// clockOf returns what is known of the clock of p. Only nodes with a link exchange their clocks.
func (p *Peer) clockOf() *beacon.Clock {
	if p.clock == nil {
		p.clock = new(beacon.Clock)
	}
	return p.clock
}

// RoundTrip returns the round-trip time to p, or an estimate if it is unknown.
func (p *Peer) RoundTrip() time.Duration { return p.Packets.RoundTrip() }

// SetRTT records a round-trip time to p. It returns the distance of p, which excludes queueing, so it is the minimum that was
// measured on the path.
func (p *Peer) SetRTT(rtt time.Duration) (distance time.Duration) {
	p.Packets.SetRTT(rtt)
	p.Neighbor.RTT = rtt
	if least := p.Packets.Pace().MinRTT(); least > 0 {
		return min(rtt, least)
	}
	return rtt
}

// HeardAge returns the milliseconds since a packet of p was opened, rounded up.
func (p *Peer) HeardAge(now time.Time) uint32 {
	age := min(max(now.Sub(p.Sessions.LastOpened()), 0), 1<<31*time.Millisecond)
	return uint32((age + time.Millisecond - 1) / time.Millisecond)
}

// mayWait reports whether the open datagram for p may wait for more messages.
func (p *Peer) mayWait() bool { return p.Neighbor.Busy() && p.Packets.HasOpen() }

// queueState returns the state of the queue of small messages for dissemination.
func (p *Peer) queueState() broadcast.Queue {
	return broadcast.Queue{Full: p.Packets.Full(false), Bytes: p.Packets.Backlog()}
}
