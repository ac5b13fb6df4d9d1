// Package peer is one peer of a node as far as packets go: what is sent to it, what is queued for it, and what has been
// received from it. It coalesces small messages into datagrams, cuts large ones into pieces, paces both, keeps what was
// sent for retransmission, asks for what was lost, and reports what was received.
//
// An Endpoint is what all peers of a node share. A Peer has a Channel for each session with a Go node. They own the
// queues, the sent logs and the counters. They write datagrams to the outbox, read from the arena and from
// assemblies, and set the peer's timer. They never look at the clock, and know neither members nor links: whoever owns
// them routes messages, decides what is sent to whom, and is told by return values what it has to do. A legacy peer
// has no channels, and nothing is ever queued for it.
//
// To read it: endpoint.go and peer.go have the state, pace.go the rate, transmit.go sends one packet. On top of them, open.go
// and queue.go are about small messages, transfer.go and piece.go about large ones, and pump.go sends what waits. repair.go
// has Naks, answers.go the end of a received packet, report.go the delivery reports, tail.go and path.go the probes.
package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config is what an Endpoint is made of. All fields are required.
type Config struct {
	Heartbeat time.Duration // interval of the heartbeats that this node sends
	Paths     pmtu.Config
	IDs       *wire.IDs
	Out       *outbox.Outbox // where datagrams are queued
	Arena     *arena.Arena   // where small messages are kept
	Timers    *timer.Heap    // of the peers' timers
}

// An Endpoint is what the peers of one node share. Not for concurrent use.
type Endpoint struct {
	cfg   Config
	stats Stats

	named    uint64 // packet numbers that the Naks of the packet in progress have named
	answered int    // Pings of the packet in progress
	settling []byte // answers to those Naks
	drawn    drawn  // by the packet in progress
	answers  []byte // to other messages of it, that are not sent yet
	unfit    []byte // messages that were lost and do not fit into a datagram any more

	control []byte      // scratch of one function: a plaintext that is sent at once
	joined  []byte      // scratch of gather
	index   []byte      // scratch of gather
	going   []arena.Ref // scratch of sendQueued
}

// NewEndpoint returns an endpoint without peers.
func NewEndpoint(cfg Config) *Endpoint { return &Endpoint{cfg: cfg} }

// Stats counts what the peers did. All fields only grow.
type Stats struct {
	FrameBytes    uint64 // bytes of large messages sent, retransmissions included
	NaksSent      uint64 // ranges of packets that were asked for
	Resent        uint64 // messages, and pieces of large ones, that were sent again
	DatagramsLost uint64 // packets of peers that never arrived, of sessions that have ended
	PathsShrunk   uint64 // peers whose largest datagrams did not arrive any more

	// What was dropped.
	UnknownSession uint64 // packets for a peer without a session
	MalformedBody  uint64 // messages that do not parse
	Unexpected     uint64 // messages that name what they must not
	Forgotten      uint64 // retransmissions of what is not kept any more
	QueueFull      uint64 // messages for a peer with too large a queue
	QueueOld       uint64 // messages that were queued for too long
	Unreachable    uint64 // messages for a peer whose sessions ended
}

// Stats returns the counters.
func (e *Endpoint) Stats() *Stats { return &e.stats }

// Heartbeats returns the time in which n heartbeats are sent, with a margin for the scheduling of either end.
func (e *Endpoint) Heartbeats(n time.Duration) time.Duration { return n * e.cfg.Heartbeat * 5 / 4 }

// content is what one packet carried: small messages in the arena, a piece of a large message, or nothing that would be
// retransmitted.
type content struct {
	off     uint64 // of the plaintext in the arena, or of an index of its messages; 0 for none
	size    uint32 // of the plaintext or index; beside it is room for the flags, and a sent log has many of these
	index   bool
	probe   bool               // a padded Ping: its loss says nothing about the rate
	settled bool               // it was sent again: its packet number means nothing any more
	message *assembly.Assembly // the large message; nil for none
	piece   rangeset.Range
	total   uint64 // Peer.sent with this packet
}

// carries returns what is remembered of a packet with a plaintext, or an index of its messages, in the arena.
func carries(m arena.Ref) content { return content{off: m.Off, size: m.Size} }

// ref returns where the plaintext or index lies; zero for none.
func (c *content) ref() arena.Ref { return arena.Ref{Off: c.off, Size: c.size} }

// repairable reports whether the packet would be retransmitted if it were lost.
func (c *content) repairable() bool { return c.message != nil || c.off != 0 }

// An index is what the arena keeps of a packet whose messages lie apart from each other: a Ref for each of them.
const indexEntry = 8 + 4 // bytes

// Bounds of the sent log. A peer asks for a lost packet five times within ten round trips.
const (
	SentHorizon = 10 * time.Second // what was sent is remembered for at most so long
	logHorizon  = time.Second      // and for at least so long
	logNewest   = 32               // packets that are remembered until two heartbeats have been sent
)

// nakMax is how many packet numbers the Naks of one packet may name.
const nakMax = session.WindowSize

// AcksMax is how many Pings of one packet are answered. A node that means well sends one.
const AcksMax = 4

// BeginPacket begins to count what the messages of one received packet ask for. A packet may have thousands of
// messages: what each of them may ask for is bounded for all of them together. Otherwise one packet of an insider would
// draw many, to an address that need not be the insider's.
func (e *Endpoint) BeginPacket() { e.named, e.answered, e.drawn = 0, 0, drawn{} }

// MayAck counts a Ping of the packet in progress, and reports whether it is answered.
func (e *Endpoint) MayAck() bool {
	e.answered++
	return e.answered <= AcksMax
}

// mayName reports whether n more packet numbers are looked for. Those of one packet are disjoint and lie in a window.
func (e *Endpoint) mayName(n uint32) bool {
	if e.named+uint64(n) > nakMax {
		return false
	}
	e.named += uint64(n)
	return true
}

// What the messages of one received packet may draw in all, whatever they ask for, and whomever the answers go to
// (docs/PROTOCOL.md P12). One question about members may draw 64 datagrams of entries.
const (
	drawnPackets = 80        // packets of control
	drawnBytes   = 128 << 10 // bytes of them
)

// drawn is the control that was sent since the packet in progress began.
type drawn struct{ packets, bytes int }

func (d *drawn) add(bytes int) {
	d.packets++
	d.bytes += bytes
}

// Refuse reports, and counts, whether a message is dropped because it asks for something, and the packet in progress has drawn as
// much as it may.
func (e *Endpoint) Refuse(k wire.Kind) bool {
	if !k.Asks() || !e.Exhausted() {
		return false
	}
	e.stats.Unexpected++
	return true
}

// Exhausted reports whether the packet in progress has drawn as much as it may.
func (e *Endpoint) Exhausted() bool {
	return e.drawn.packets >= drawnPackets || e.drawn.bytes >= drawnBytes
}
