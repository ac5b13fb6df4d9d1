// Package peers keeps the nodes that a node has sessions with: it turns finished handshakes into sessions, finds the
// session of each packet and opens the packet, renews and closes sessions, and sends what handshakes want sent.
//
// A Table owns the handshakes (internal/handshake), the peers, and what leads from a nonce to a session. A Peer has the
// sessions with one node and its packets (internal/peer). The package never decides with whom to shake hands, knows
// neither members nor links, and never looks into a message: it returns the outcomes of handshakes and the plaintexts of
// packets to the caller, who tells it when to go on.
//
// To read it: peers.go has the state, establish.go makes a peer and a session of a handshake, open.go takes in packets,
// send.go sends, timeout.go closes and renews sessions, keys.go changes the pre-shared keys.
package peers

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	// UnlinkedMax bounds the peers that carry no link (PROTOCOL.md 4, "Session").
	UnlinkedMax = 4096
	// seqsMax bounds the addresses for which packets are counted (PROTOCOL.md 1, field s).
	seqsMax = 8192
)

// Config is what a Table is made of. All fields are required, except Suite.
type Config struct {
	Handshake handshake.Config
	Suite     session.Suite  // what boxes are sealed with; nil for NaCl
	Datagram  int            // largest datagram sent, in bytes of UDP payload
	Endpoint  *peer.Endpoint // what the packets of all peers share
	IDs       *wire.IDs
	Out       *outbox.Outbox // where datagrams are queued
	Timers    *timer.Heap    // of the peers' timers, and of the Table's own
	RNG       *rand.Rand     // choices that need no secrecy
}

// A Table is the peers of one node and its handshakes. Make it with New. It must not be copied. Not for concurrent use.
type Table struct {
	*handshake.Endpoint
	cfg   Config
	stats Stats

	peers map[wire.NodeID]*Peer
	boxes map[[16]byte]box // bound sessions by nonce prefix
	seqs  quota.Map[netip.AddrPort, uint32]

	keyIDs   []handshake.KeyID // of the keys accepted, the primary first; none before SetKeys
	keyTimer timer.Timer       // ends the sessions of other keys

	plain []byte              // scratch: a probe that is sent at once
	begun []handshake.Outcome // scratch of Dial
}

// box is where the packets of one session go.
type box struct {
	peer    *Peer
	channel *peer.Channel
}

// New returns a Table without peers.
func New(cfg Config) *Table {
	t := &Table{Endpoint: handshake.New(cfg.Handshake), cfg: cfg, peers: make(map[wire.NodeID]*Peer), boxes: make(map[[16]byte]box),
		seqs: quota.NewMap[netip.AddrPort, uint32](seqsMax)}
	t.keyTimer.Fire = t.endOldKeys
	return t
}

// A Peer is a node at the other end of at least one session. It must not be copied.
type Peer struct {
	ID       wire.NodeID
	Legacy   bool // it speaks gwyh 0.1
	Sessions *session.Set
	Packets  peer.Peer
	Zone     wire.Zone // as its last handshake says

	heard time.Time // when its last handshake ended or its last packet was opened
	timer *timer.Timer
}

// Stats counts what happened to handshakes and boxes. All fields only grow.
type Stats struct {
	Started   uint64 // handshakes that this node began
	Initiated uint64 // sessions of handshakes that this node began
	Accepted  uint64 // sessions of handshakes that a peer began
	Rejected  [handshake.Reasons]uint64

	// Boxes that were dropped.
	UnknownSession uint64 // no session opens them
	Forged         uint64 // the authenticator is wrong
	Replayed       uint64 // the packet number was seen
}

// Stats returns the counters.
func (t *Table) Stats() *Stats { return &t.stats }

// Sessions returns the number of sessions with Go nodes.
func (t *Table) Sessions() int { return len(t.boxes) }

// Lost returns how many packets of peers never arrived, of the sessions that there are.
func (t *Table) Lost() (packets uint64) {
	for _, box := range t.boxes {
		packets += box.channel.Lost()
	}
	return packets
}

// Sorted returns all peers in the order of their ids, for what must not depend on the order of a map.
func (t *Table) Sorted() []*Peer {
	return t.sorted(func(*Peer) bool { return true })
}

func (t *Table) sorted(which func(*Peer) bool) (list []*Peer) {
	for _, p := range t.peers {
		if which(p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *Peer) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return list
}

// Wake makes the timer of p due no later than its sessions want.
func (t *Table) Wake(p *Peer) {
	if at := p.Sessions.NextTimeout(); !at.IsZero() {
		t.cfg.Timers.Advance(p.timer, at)
	}
}

// Refused notes that the system did not take a datagram. One that is too big for its path makes those to its peer
// smaller, down to what any path carries (the answer of RFC 8899 to a local verdict). For any other reason, sending to
// linked peers pauses for a moment. It is no loss: nothing is said about the path.
func (t *Table) Refused(now time.Time, to wire.Path, size int, tooBig bool) {
	at := func(p *Peer) bool { return !p.Legacy && p.Sessions.Path().Remote == to.Remote }
	for _, p := range t.sorted(at) {
		if tooBig {
			p.Packets.TooBig(now, size)
		} else if p.Packets.Linked() {
			p.Packets.Pace().Backoff(now)
		}
	}
}
