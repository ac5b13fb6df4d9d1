// Package peers holds the nodes that this node has sessions with: it turns finished handshakes into sessions, finds the
// session of each packet and decrypts the packet, renews and closes sessions, and sends packets of handshakes.
//
// A Table owns the handshakes (internal/handshake), the peers, and the map from nonces to sessions. A Peer has the
// sessions with one node and its packets (internal/peer). The package never decides which nodes to contact, does not
// know members or links, and never looks into a message: it returns outcomes of handshakes and decrypted plaintexts to
// its caller.
//
// Reading order: peers.go (state), establish.go (creates a peer and a session from a handshake), open.go (incoming
// packets), send.go, timeout.go (closes and renews sessions), keys.go (changes the pre-shared keys).
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
	// UnlinkedMax is the maximum number of peers without a link (PROTOCOL.md 4, "Session").
	UnlinkedMax = 4096
	// seqsMax is the maximum number of addresses for which packets are counted (PROTOCOL.md 1, field s).
	seqsMax = 8192
)

// Config configures a Table. All fields are required, except Suite.
type Config struct {
	Handshake handshake.Config
	Suite     session.Suite  // seals packets; nil for NaCl
	Datagram  int            // maximum size of a datagram sent, in bytes of UDP payload
	Endpoint  *peer.Endpoint // shared by the packets of all peers
	IDs       *wire.IDs
	Out       *outbox.Outbox // where datagrams are queued
	Timers    *timer.Heap    // timers of the peers and of the Table
	RNG       *rand.Rand     // for choices that need no secrecy
}

// A Table holds the peers and the handshakes of one node. Create it with New. It must not be copied or used concurrently.
type Table struct {
	*handshake.Endpoint
	cfg   Config
	stats Stats

	peers map[wire.NodeID]*Peer
	boxes map[[16]byte]box // sessions with Go nodes, by nonce prefix
	seqs  quota.Map[netip.AddrPort, uint32]

	keyIDs   []handshake.KeyID // accepted keys, the primary key first; empty before SetKeys
	keyTimer timer.Timer       // ends the sessions of other keys

	plain []byte              // scratch for a probe that is sent at once
	begun []handshake.Outcome // scratch for Dial
}

// box is the destination of the packets of one session.
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
	Zone     wire.Zone // from its last handshake

	heard time.Time // when its last handshake ended or its last packet was decrypted
	timer *timer.Timer
}

// Stats counts events of handshakes and boxes. Every counter only increases.
type Stats struct {
	Started   uint64 // handshakes that this node began
	Initiated uint64 // sessions of handshakes that this node began
	Accepted  uint64 // sessions of handshakes that a peer began
	Rejected  [handshake.Reasons]uint64

	RejectedFrom [handshake.Reasons]netip.AddrPort // of the last rejected packet

	// Dropped boxes.
	UnknownSession uint64 // no session can open them
	Forged         uint64 // the authenticator is wrong
	Replayed       uint64 // the packet number was seen
}

// Reject counts a handshake packet that was refused.
func (s *Stats) Reject(from netip.AddrPort, r handshake.Reason) {
	s.Rejected[r]++
	s.RejectedFrom[r] = from
}

// Stats returns the counters. The Table owns them.
func (t *Table) Stats() *Stats { return &t.stats }

// Sessions returns the number of sessions with Go nodes.
func (t *Table) Sessions() int { return len(t.boxes) }

// Lost returns the number of packets of peers that never arrived in the current sessions.
func (t *Table) Lost() (packets uint64) {
	for _, box := range t.boxes {
		packets += box.channel.Lost()
	}
	return packets
}

// Sorted returns all peers ordered by id, for operations that must not depend on map order.
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

// Wake makes the timer of p due no later than its sessions require.
func (t *Table) Wake(p *Peer) {
	if at := p.Sessions.NextTimeout(); !at.IsZero() {
		t.cfg.Timers.Advance(p.timer, at)
	}
}

// Refused records that the operating system refused a datagram. If the datagram was too big for its path, smaller ones
// are sent to its peer, down to the size that any path carries (RFC 8899's response to a local error). Otherwise,
// sending to linked peers pauses for a moment; this does not count as loss.
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
