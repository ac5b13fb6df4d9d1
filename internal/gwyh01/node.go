// Package gwyh01 is a model of a gwyh 0.1 node, the original in Rust, for simulated clusters: what
// PROTOCOL.md part 2 measured of it, faults included. It is sans-IO like the core, so a simnet.Host. It is
// written from those facts alone, without the machines that are held against it, and checked against
// recorded conversations of a live node (testdata/transcripts.json).
//
// Two models bounce Naks for ever, as two originals do, at the rate that was measured of these.
package gwyh01

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// What was measured of the original.
const (
	window        = 60 * time.Millisecond // that a timestamp may be off; 60 s were meant
	tick          = 5 * time.Second       // between its heartbeats, and between Hellos to its seeds
	watchdog      = 15 * time.Second      // without a heartbeat of a source
	chooseMin     = 25 * time.Millisecond // from news of a peer to the choice of whom to subscribe to; further news put it off anew
	chooseMax     = 5 * time.Second
	greetMin      = 10 * time.Millisecond // before it greets its seeds, and before it answers a Hello of an address that it has dealt with
	greetMax      = 150 * time.Millisecond
	handshakeFor  = time.Minute             // how long one that does not end is kept
	nakDelay      = 10 * time.Microsecond   // between two handshake packets to an address, before Naks multiply it
	nakDelayMax   = 1000 * time.Hour        // of the model's own: the original's has no bound
	nakEvery      = 2670 * time.Microsecond // between Naks that answer Naks: two nodes at rest exchange 750 packets a second
	datagramMax   = 65_507                  // bytes; a larger broadcast is lost without a word
	subscriptions = 5
)

// seenMax bounds the message ids that are remembered. The bound is the model's own.
const seenMax = 1 << 16

// Config is what a model is made of.
type Config struct {
	ID            wire.NodeID // zero: drawn
	Addr          netip.AddrPort
	Zone          wire.Zone
	Keys          []string // pre-shared keys
	Seeds         []netip.AddrPort
	Window        time.Duration // that timestamps may be off; zero: 60 ms, as the original
	Subscriptions int           // zero: 5

	Suite     session.Suite       // nil: NaCl
	Agreement handshake.Agreement // nil: X25519
	Rand      io.Reader

	// ChooseAfter is the pause between news of a peer and the choice of whom to subscribe to; nil: drawn from 25 ms
	// to 5 s.
	ChooseAfter func(peer wire.NodeID) time.Duration
	// GreetAfter is the pause before the seeds are greeted; nil: drawn from 10 to 150 ms.
	GreetAfter func() time.Duration
}

// Stats counts what a model saw.
type Stats struct {
	Handshakes   int // that ended in a key
	NaksReceived int // of anyone: each makes it slower to shake hands
	NaksOfGo     int // of Go nodes: these should send none
	Unopened     int // boxes under no key of its
	TooLarge     int // own or forwarded messages that its socket would not take
	Ready        bool
}

// A Node is one model. Not for concurrent use.
type Node struct {
	cfg   Config
	keys  []key
	stats Stats

	peers  []*peer // in the order they were met
	routes map[netip.AddrPort]*route
	inits  map[wire.HandshakeID]*initiation
	halves map[wire.HandshakeID]*half

	seen  map[wire.MessageID]bool
	order []wire.MessageID // of seen, oldest first

	timers timers
	choice int       // counts the settings of the timer of choose: the last one counts
	greets int       // the same of greet
	nakAt  time.Time // of the last Nak that answers a Nak, which may be still to come
	out    []datagram
	heard  [][]byte
	down   bool // shut down: it does nothing any more
}

// A peer is a node that it knows of and that nobody has called down since.
type peer struct {
	id    wire.NodeID
	zone  wire.Zone
	addr  netip.AddrPort // of the handshake, or as it was told
	met   bool           // hands were shaken with it: there is a key
	key   [32]byte
	stamp time.Time // of the Hello that key came of; the newest wins

	subscriber bool      // it is sent everything
	source     bool      // it answered SubscriptionStarted
	beat       time.Time // its last heartbeat
}

// A route is what is known of an address.
type route struct {
	sent     uint32        // packets to it
	received uint32        // number of the last packet from it
	greeted  bool          // a Hello went there, or one from there was answered
	said     time.Time     // when the last handshake packet to it was made
	delay    time.Duration // from then to the next one
}

type datagram struct {
	to netip.AddrPort
	b  []byte
}

// New starts a model: it greets its seeds soon.
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
		cfg.Agreement = handshake.X25519
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

// ID is the node's.
func (n *Node) ID() wire.NodeID { return n.cfg.ID }

// Addr is the node's.
func (n *Node) Addr() netip.AddrPort { return n.cfg.Addr }

// Stats is what it counted.
func (n *Node) Stats() Stats { return n.stats }

// Heard returns the broadcasts that came since the last call.
func (n *Node) Heard() [][]byte {
	h := n.heard
	n.heard = nil
	return h
}

// Knows reports whether it holds a key of a node.
func (n *Node) Knows(id wire.NodeID) bool {
	p := n.find(id)
	return p != nil && p.met
}

// Subscribers is how many nodes it sends everything to.
func (n *Node) Subscribers() (count int) {
	for _, p := range n.peers {
		if p.subscriber {
			count++
		}
	}
	return count
}

// Sources is how many nodes it is subscribed to.
func (n *Node) Sources() (count int) {
	for _, p := range n.peers {
		if p.source {
			count++
		}
	}
	return count
}

// HandleDatagram takes in one datagram. b is the node's to overwrite during the call.
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
	if wire.ParseHandshake(&h, p.Handshake) == nil {
		n.handshake(now, from.Remote, p.Sender, &h)
	}
}

// HandleTimeout does what is due. Afterwards NextTimeout is later than now.
func (n *Node) HandleTimeout(now time.Time) { n.timers.run(now) }

// NextTimeout is when HandleTimeout wants to be called; zero for never.
func (n *Node) NextTimeout() time.Time { return n.timers.next() }

// Drain hands over the datagrams that wait to be sent.
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

// Shutdown ends the node as its users do: with an EndSubscription to each peer that it is subscribed to. What waits to
// be sent still goes out.
func (n *Node) Shutdown() {
	for _, p := range n.peers {
		if p.source {
			n.request(p, wire.KindEndSubscription)
		}
	}
	n.down = true
	n.timers = timers{}
}

// bootstrap greets the seeds soon.
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

// tick runs every 5 s from the start on.
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

// forget drops a peer that was called down.
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

// messageID draws the id of a message of its own. It counts as seen: recording 06 shows that a heartbeat which
// a subscriber passes back is not passed on again.
func (n *Node) messageID() wire.MessageID {
	id := wire.MessageID(n.uuid())
	n.first(id)
	return id
}

// draw is a time from lo up to hi.
func (n *Node) draw(lo, hi time.Duration) time.Duration {
	var b [8]byte
	n.fill(b[:])
	var x uint64
	for _, c := range b {
		x = x<<8 | uint64(c)
	}
	return lo + time.Duration(x%uint64(hi-lo))
}
