// Package gwyh01 models a gwyh 0.1 node, the original in Rust, for simulated clusters: the behavior that PROTOCOL.md
// part 2 measured, faults included. It is sans-IO like the core, so it is a simnet.Host. It is written from those
// facts alone, without the machines that it is compared with, and checked against recorded conversations of a live
// node (testdata/transcripts.json).
//
// Two models exchange Naks endlessly, as two originals do, at the rate that was measured.
package gwyh01

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Measured values of the original.
const (
	window        = 60 * time.Millisecond // maximum difference of a timestamp; 60 s were intended
	tick          = 5 * time.Second       // between its heartbeats, and between Hellos to its seeds
	watchdog      = 15 * time.Second      // without a heartbeat of a source
	chooseMin     = 25 * time.Millisecond // from news of a peer to the choice of subscriptions; more news restart it
	chooseMax     = 5 * time.Second
	greetMin      = 10 * time.Millisecond // before it greets its seeds or answers a Hello from a known address
	greetMax      = 150 * time.Millisecond
	handshakeFor  = time.Minute             // how long an incomplete handshake is kept
	nakDelay      = 10 * time.Microsecond   // between two handshake packets to an address, before Naks multiply it
	nakDelayMax   = 1000 * time.Hour        // only in the model: the original has no bound
	nakEvery      = 2670 * time.Microsecond // between Naks that answer Naks: two idle nodes exchange 750 packets per second
	datagramMax   = 65_507                  // in bytes; a larger broadcast is lost silently
	subscriptions = 5
)

// seenMax bounds the remembered message ids. Only the model has this bound.
const seenMax = 1 << 16

// Config configures a model.
type Config struct {
	ID            wire.NodeID // zero: random
	Addr          netip.AddrPort
	Zone          wire.Zone
	Keys          []string // pre-shared keys
	Seeds         []netip.AddrPort
	Window        time.Duration // maximum difference of a timestamp; zero: 60 ms, as in the original
	Subscriptions int           // zero: 5

	Suite     session.Suite    // nil: NaCl
	Agreement nodeid.Agreement // nil: X25519
	Rand      io.Reader

	// ChooseAfter returns the pause between news of a peer and the choice of subscriptions. Nil means a random pause
	// from 25 ms to 5 s.
	ChooseAfter func(peer wire.NodeID) time.Duration
	// GreetAfter returns the pause before the seeds are greeted. Nil means a random pause from 10 to 150 ms.
	GreetAfter func() time.Duration
}

// Stats are the counters of a model.
type Stats struct {
	Handshakes   int // completed, with a key
	NaksReceived int // from any node: each one slows down further handshakes
	NaksOfGo     int // from Go nodes, which should send none
	Unopened     int // boxes under an unknown key
	TooLarge     int // own or forwarded messages that exceed datagramMax
	Ready        bool
}

// A Node is one model. It is not safe for concurrent use.
type Node struct {
	cfg   Config
	keys  []key
	stats Stats

	peers  []*peer // in the order in which they became known
	routes map[netip.AddrPort]*route
	inits  map[wire.HandshakeID]*initiation
	halves map[wire.HandshakeID]*half

	seen  map[wire.MessageID]bool
	order []wire.MessageID // of seen, oldest first

	timers timers
	choice int       // generation of the choose timer: only the latest one counts
	greets int       // the same for greet
	nakAt  time.Time // when the last Nak that answers a Nak is sent; may be in the future
	out    []datagram
	heard  [][]byte
	down   bool // shut down: it does nothing
}

// A peer is a node that the model knows and that no node has declared down since.
type peer struct {
	id    wire.NodeID
	zone  wire.Zone
	addr  netip.AddrPort // from the handshake, or as another node announced it
	met   bool           // a handshake completed, so there is a key
	key   [32]byte
	stamp time.Time // of the Hello that led to key; the newest wins

	subscriber bool      // it receives all broadcasts and news
	source     bool      // it answered SubscriptionStarted
	beat       time.Time // its last heartbeat
}

// A route is the state of an address.
type route struct {
	sent     uint32        // number of packets sent to it
	received uint32        // number of the last packet from it
	greeted  bool          // a Hello was sent there, or one from there was answered
	said     time.Time     // when the last handshake packet to it was made
	delay    time.Duration // from said to the next handshake packet
}

type datagram struct {
	to netip.AddrPort
	b  []byte
}

// New starts a model, which greets its seeds after a short pause.
func New(now time.Time, cfg Config) *Node {
	if cfg.Window == 0 {
		cfg.Window = window
	}
	if cfg.Subscriptions == 0 {
		cfg.Subscriptions = subscriptions
	}
	if cfg.Suite == nil {
		cfg.Suite = session.NaCl
	}
	if cfg.Agreement == nil {
		cfg.Agreement = nodeid.X25519
	}
	n := &Node{
		cfg: cfg, routes: make(map[netip.AddrPort]*route), inits: make(map[wire.HandshakeID]*initiation),
		halves: make(map[wire.HandshakeID]*half), seen: make(map[wire.MessageID]bool),
	}
	if n.cfg.ID == (wire.NodeID{}) {
		n.cfg.ID = n.uuid()
	}
	for _, psk := range cfg.Keys {
		n.keys = append(n.keys, newKey(psk))
	}
	n.bootstrap(now)
	n.after(now, tick, n.tick)
	return n
}

// ID returns the id of the node.
func (n *Node) ID() wire.NodeID { return n.cfg.ID }

// Addr returns the address of the node.
func (n *Node) Addr() netip.AddrPort { return n.cfg.Addr }

// Stats returns the counters of the node.
func (n *Node) Stats() Stats { return n.stats }

// Heard returns the broadcasts received since the last call.
func (n *Node) Heard() [][]byte {
	h := n.heard
	n.heard = nil
	return h
}

// Knows reports whether the model has a key for a node.
func (n *Node) Knows(id wire.NodeID) bool {
	p := n.find(id)
	return p != nil && p.met
}

// Subscribers returns the number of nodes that subscribe to the model.
func (n *Node) Subscribers() (count int) {
	for _, p := range n.peers {
		if p.subscriber {
			count++
		}
	}
	return count
}

// Sources returns the number of nodes that the model is subscribed to.
func (n *Node) Sources() (count int) {
	for _, p := range n.peers {
		if p.source {
			count++
		}
	}
	return count
}

// HandleDatagram handles one datagram. The node may overwrite b during the call.
func (n *Node) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	var p wire.Packet
	if n.down || wire.ParsePacket(&p, b) != nil || p.Sender == n.cfg.ID {
		return
	}
	r := n.route(from.Remote)
	before := r.received
	r.received = p.Seq
	if p.Kind == wire.PacketBox {
		n.open(now, &p, before)
		return
	}
	var h wire.Handshake
	if p.ParseHandshake(&h) == nil {
		n.handshake(now, from.Remote, p.Sender, &h)
	}
}

// HandleTimeout runs what is due. Afterwards NextTimeout is zero or later than now.
func (n *Node) HandleTimeout(now time.Time) { n.timers.run(now) }

// NextTimeout returns when HandleTimeout is to be called, or zero for never.
func (n *Node) NextTimeout() time.Time { return n.timers.next() }

// Drain passes the datagrams that wait to be sent to send.
func (n *Node) Drain(_ time.Time, send func(to wire.Path, b []byte)) {
	for _, d := range n.out {
		send(wire.Path{Remote: d.to}, d.b)
	}
	n.out = n.out[:0]
}

// Broadcast sends data to all subscribers.
func (n *Node) Broadcast(data []byte) {
	if n.down {
		return
	}
	n.flood(wire.AppendBroadcast(nil, wire.Arrays, n.messageID(), data))
}

// Shutdown ends the node as its users do: it sends an EndSubscription to each peer that it is subscribed to.
// Datagrams that wait to be sent are still sent.
func (n *Node) Shutdown() {
	for _, p := range n.peers {
		if p.source {
			n.request(p, wire.KindEndSubscription)
		}
	}
	n.down = true
	n.timers = timers{}
}

// bootstrap greets the seeds after a short pause.
func (n *Node) bootstrap(now time.Time) {
	pause := n.cfg.GreetAfter
	if pause == nil {
		pause = func() time.Duration { return n.draw(greetMin, greetMax) }
	}
	n.greets++
	turn := n.greets
	n.after(now, pause(), func(now time.Time) {
		for _, seed := range n.cfg.Seeds {
			if turn == n.greets && seed != n.cfg.Addr {
				n.sayHello(now, seed, false)
			}
		}
	})
}

// tick runs every 5 s from the start.
func (n *Node) tick(now time.Time) {
	n.after(now, tick, n.tick)
	for _, p := range n.peers {
		if p.subscriber {
			n.request(p, wire.KindHeartbeat)
		}
	}
	if n.Sources() == 0 {
		n.bootstrap(now)
	}
}

func (n *Node) route(a netip.AddrPort) *route {
	r := n.routes[a]
	if r == nil {
		r = new(route)
		n.routes[a] = r
	}
	return r
}

func (n *Node) find(id wire.NodeID) *peer {
	for _, p := range n.peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// forget drops a peer that was declared down.
func (n *Node) forget(p *peer) {
	n.peers = slices.DeleteFunc(n.peers, func(o *peer) bool { return o == p })
	p.source, p.subscriber = false, false
}

func (n *Node) fill(b []byte) {
	if _, err := io.ReadFull(n.cfg.Rand, b); err != nil {
		panic("gwyh01: no randomness: " + err.Error())
	}
}

func (n *Node) uuid() (id [16]byte) {
	n.fill(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// messageID returns a random id for a message of the node. It counts as seen: recording 06 shows that the node does
// not forward a heartbeat that a subscriber passes back.
func (n *Node) messageID() wire.MessageID {
	id := wire.MessageID(n.uuid())
	n.first(id)
	return id
}

// draw returns a random duration between lo and hi.
func (n *Node) draw(lo, hi time.Duration) time.Duration {
	var b [8]byte
	n.fill(b[:])
	var x uint64
	for _, c := range b {
		x = x<<8 | uint64(c)
	}
	return lo + time.Duration(x%uint64(hi-lo))
}
