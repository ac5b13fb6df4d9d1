// Package delivery carries the messages of a node to its peers and from them. It decides how: a small message goes in a
// datagram with others, or in pieces if the path is narrow, and a large one in frames.
//
// A Delivery owns the peers that messages are sent to, the links, the arena of small messages, the store of large ones, and
// the datagrams that are still open. It has four parts: Sender sends plaintexts to one peer and answers its reports and
// Naks, Broadcasts exchanges broadcasts with the links, Directs sends messages to one node and receives them, and Pings sends
// the Pings of the application.
//
// The package never decides who is a member, which peers become links, or when a handshake begins. It calls no function of
// its caller: what only the caller can do is an outcome (Directs.Perform), or the result of an input.
//
// Reading order: delivery.go and peer.go have the state, limits.go the bounds. Then sender.go, path.go, store.go (large messages),
// held.go (messages that wait for the first link), backpressure.go, broadcast.go, links.go, direct.go and ping.go. new.go makes a
// Delivery; no other file uses it.
package delivery

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/outcome"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config configures a Delivery. All fields except Beacon are required.
type Config struct {
	Self         wire.NodeID   // this node
	Zone         wire.Zone     // of this node
	Beacon       time.Duration // interval of its beacons; zero: it sends none
	Heartbeat    time.Duration // interval of this node's heartbeats
	DatagramSize int           // largest datagram sent, in bytes of UDP payload
	DatagramMax  int           // largest datagram that paths are probed for

	Refused       func(wire.NodeID) bool // reports whether this node has refused a node as a member, or may not have one at its address; nil: none
	Pings         bool                   // the answers to Pings carry a payload of the application
	ProbeInterval time.Duration          // time between two requests for that payload

	Members *members.Table
	IDs     *wire.IDs
	RNG     *rand.Rand     // choices that need no secrecy
	Timers  *timer.Heap    // timers of the node
	Out     *outbox.Outbox // where datagrams are queued
	Events  *event.Queue   // where messages for the application are queued
	Report  *report.Reporter
	Stats   *stats.Stats
	Memory  memory.Shares
}

// halvedMax is the maximum interval of heartbeats of which each goes to half of the links.
const halvedMax = 15 * time.Second

// heartbeatGap returns the longest time between two heartbeats to a peer, without the deviation. Heartbeats that are
// rarer than probes go to all links, because the time until a silent peer is probed follows them.
func (c *Config) heartbeatGap() time.Duration {
	if c.Heartbeat <= min(c.ProbeInterval, halvedMax) {
		return 2 * c.Heartbeat
	}
	return c.Heartbeat
}

// A Delivery carries the messages of one node. Create it with New. It is not safe for concurrent use.
type Delivery struct {
	Sender     Sender
	Broadcasts Broadcasts
	Directs    Directs
	Pings      Pings
	Beats      Beats
	Endpoint   *packets.Endpoint // shared by the packets of all peers

	cfg      Config
	sessions *peers.Table
	peers    map[wire.NodeID]*Peer
	links    []*Peer // in the order in which they were linked
}

// Beats schedules the heartbeats of a node (PROTOCOL.md G6). They are sent together, about once per interval, because
// waking an idle process is expensive. If there are more than everyBeat links, each of them gets every second heartbeat.
type Beats struct {
	d    *Delivery
	next time.Time
	then time.Time // of the heartbeat after next
}

// A Sender sends plaintexts to peers: at once, or with others in a datagram that is sealed at the end of a turn.
type Sender struct {
	Arena arena.Arena // small messages, for repair

	d        *Delivery
	plain    []byte       // scratch: one plaintext being built
	smallMsg SmallMessage // scratch: see NewSmall

	sealTimer timer.Timer // fires when the first unsealed datagram is due
	unsealed  []*Peer     // the peers that have an open datagram
}

// A SmallMessage is one plaintext that is sent along several links. The arena keeps it for retransmits and for links
// that cannot send it at once.
type SmallMessage struct {
	Plain []byte
	Ref   arena.Ref
}

// Broadcasts exchanges broadcasts with the links: it hands messages of neighbors to dissemination (internal/broadcast), and
// it encodes, queues and sends what dissemination decides to send.
type Broadcasts struct {
	Disseminator *broadcast.Disseminator // decides who is sent what
	Store        assembly.Store          // large messages
	Held         HeldQueue               // this node's messages that wait for its first link
	Watched      bool                    // each event.Duplicate is wanted
	Beacons      *beacon.Beacons

	d           *Delivery
	timer       timer.Timer
	sweepTimer  timer.Timer
	beaconTimer timer.Timer
	arrived     []*assembly.Assembly // scratch: large messages that a report confirms
	holding     []*Peer              // scratch: see holders
	outcomes    outcome.Buffer[broadcast.Outcome]
}

// Directs sends messages to one node and receives them. The inputs append their outcomes to out, as those of Sender
// do. Perform acts on most of them.
type Directs struct {
	Sender   *direct.Sender // has the messages that wait
	receiver direct.Receiver
	d        *Delivery
}

// Pings are the Pings of the application, and the answers to the Pings of other nodes.
type Pings struct {
	Pings    ping.Pings
	Outcomes outcome.Buffer[ping.Outcome] // the buffer for the inputs of ping.Pings

	d       *Delivery
	payload ping.Payload
	timer   timer.Timer // at NextTimeout
}

// SetSessions sets the table of the sessions, whose peers have packets of d.Endpoint.
func (d *Delivery) SetSessions(t *peers.Table) { d.sessions = t }

// Add initializes p, a peer with the given sessions, and adds it. p must not be copied afterwards.
func (d *Delivery) Add(p *Peer, node *peers.Peer) {
	p.ID, p.Legacy = node.ID, node.Legacy
	p.Node, p.Sessions, p.Packets = node, node.Sessions, &node.Packets
	p.Swim.ID, p.Direct.ID = node.ID, node.ID
	d.peers[p.ID] = p
}

// Remove removes a peer, which must not be linked.
func (d *Delivery) Remove(p *Peer) { delete(d.peers, p.ID) }

// Peer returns the peer with an id, or nil.
func (d *Delivery) Peer(id wire.NodeID) *Peer { return d.peers[id] }

// isStranger reports whether a node is not a member and was none before: it is kept out, or has not introduced itself. The
// last messages of a member that leaves arrive after its departure.
func (d *Delivery) isStranger(id wire.NodeID) bool { return d.cfg.Members.Get(id) == nil }

// isRefused reports whether a node is not a member, and was refused as one or is at an address that no member may have.
func (d *Delivery) isRefused(id wire.NodeID) bool {
	return d.cfg.Refused != nil && d.isStranger(id) && d.cfg.Refused(id)
}

// Excludes reports whether p gets no link, because it is not a member and does not wait for its name.
func (d *Delivery) Excludes(p *Peer) bool { return !p.Legacy && !p.Waits && d.isStranger(p.ID) }

// Accepts reports whether a message of the Go node p is handled. Otherwise it counts the message.
func (d *Delivery) Accepts(p *Peer, m *wire.Message) bool {
	if !p.admitted && isOfLinks(m) && d.isStranger(p.ID) {
		d.drop(stats.DropUnexpected)
		return false
	}
	return !d.Endpoint.Refuse(m.Kind)
}

// isOfLinks reports whether a message is part of the exchange of broadcasts. A frame without content is not.
func isOfLinks(m *wire.Message) bool {
	switch m.Kind {
	case wire.KindFrame:
		return m.Total > 0 || len(m.Data) > 0
	case wire.KindCast, wire.KindBeacon, wire.KindHave, wire.KindWant, wire.KindPrune, wire.KindGraft, wire.KindStripes, wire.KindStop:
		return true
	}
	return false
}

// PeerAt returns the peer that is a live member at an address and has a session, or nil. Among several it returns the one
// with the smallest id.
func (d *Delivery) PeerAt(now time.Time, to netip.AddrPort) (found *Peer) {
	for _, p := range d.peers {
		m := d.cfg.Members.Get(p.ID)
		live := m != nil && m.Live()
		if !live || m.Addr != to || p.Sessions.Current(now) == nil {
			continue
		}
		if found == nil || slices.Compare(p.ID[:], found.ID[:]) < 0 {
			found = p
		}
	}
	return found
}

// keepFor returns how long small messages are kept for repair. Digests announce messages for two thirds of that time,
// and the next digest may be sent as late as the next heartbeat.
func (d *Delivery) keepFor() time.Duration {
	return min(d.Endpoint.Heartbeats(2)*3/4, packets.SentHorizon)
}

// announceFor returns how long digests may announce small messages, at least two thirds of that time. It is that of keepFor,
// unless heartbeats are so rare that the second one after a message would be too late: if nothing else is sent, only
// heartbeats show that a message and the first of them were lost. The arena then has the message until it needs the place.
func (d *Delivery) announceFor() time.Duration {
	if keep := d.keepFor(); keep < packets.SentHorizon {
		return keep
	}
	return d.Endpoint.Heartbeats(3)
}

// newID returns the id of a message that is not a broadcast.
func (d *Delivery) newID() wire.MessageID { return d.cfg.IDs.Control() }

func (d *Delivery) drop(r stats.Drop) { d.cfg.Stats.Dropped[r]++ }
