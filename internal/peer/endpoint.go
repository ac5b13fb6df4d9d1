// Package peer handles the packets of one peer: what is sent to it, what is queued for it, and what has been received
// from it. It coalesces small messages into datagrams, cuts large ones into pieces, paces both, keeps sent packets for
// retransmission, requests lost ones, and reports what was received.
//
// An Endpoint is the state that all peers of a node share. A Peer has a Channel for each session with a Go node. The
// package owns the queues, the sent logs and the counters. It writes datagrams to the outbox, reads from the arena and
// from assemblies, and sets the peer's timer. It never reads the clock and does not know members or links: its caller
// routes messages and decides what is sent to whom; return values say what the caller must do. A legacy peer has no
// channels, and nothing is queued for it.
//
// Reading order: endpoint.go and peer.go have the state, pace.go the rate, and transmit.go sends one packet. Then
// open.go and queue.go (small messages), transfer.go and piece.go (large ones), pump.go (sending what is queued),
// repair.go (Naks), answers.go (the end of a received packet), report.go, tail.go and path.go (probes).
package peer

import (
	"cmp"
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

// Config configures an Endpoint. All fields except Records are required.
type Config struct {
	HeartbeatGap time.Duration // longest time between two heartbeats that this node sends to a peer
	Paths        pmtu.Config
	IDs          *wire.IDs
	Out          *outbox.Outbox // where datagrams are queued
	Arena        *arena.Arena   // where small messages are stored
	Timers       *timer.Heap    // timers of the peers
	Records      int            // maximum bytes of the records of queued and of sent packets of all peers; zero means 64 MiB
}

// An Endpoint is the state that the peers of one node share. It is not safe for concurrent use.
type Endpoint struct {
	cfg    Config
	stats  Stats
	sent   session.Room // sent logs of all peers
	queued int          // records of the queues of all peers

	named    uint64 // packet numbers named by the Naks of the packet in progress
	answered int    // Pings in the packet in progress
	settling []byte // Settled messages that answer those Naks
	caused   caused // control sent because of the packet in progress
	answers  []byte // unsent answers to other messages of that packet
	unfit    []byte // lost messages that no longer fit into a datagram

	control []byte      // scratch for one function: a plaintext that is sent at once
	joined  []byte      // scratch for gather
	index   []byte      // scratch for gather
	going   []arena.Ref // scratch for sendQueued
}

// NewEndpoint returns an endpoint without peers.
func NewEndpoint(cfg Config) *Endpoint {
	cfg.Records = cmp.Or(cfg.Records, recordsDefault)
	return &Endpoint{cfg: cfg, sent: session.Room{Max: cfg.Records / 2 / sentBytes}}
}

// Upper bounds of the memory of records, in bytes. Slices and maps grow by up to twice what they need.
const (
	recordsDefault = 64 << 20 // of all records, unless Config.Records says otherwise

	sentBytes   = 80     // of one packet in a sent log
	queuedBytes = 2 * 40 // of one message or id in a queue
)

// crowded reports whether the queues of all peers have as many records as they may.
func (e *Endpoint) crowded() bool { return e.queued >= e.cfg.Records/2/queuedBytes }

// Stats counts events of all peers. Every field only increases.
type Stats struct {
	FrameBytes    uint64 // bytes of large messages sent, retransmissions included
	NaksSent      uint64 // packet ranges requested from peers
	Resent        uint64 // messages, and pieces of large messages, that were retransmitted
	DatagramsLost uint64 // packets that never arrived, counted when their session ends
	PathsShrunk   uint64 // times that a peer's datagram size was reduced because large datagrams did not arrive

	// Drops.
	UnknownSession uint64 // packets for a peer without a session
	MalformedBody  uint64 // messages that do not parse
	Unexpected     uint64 // messages that refer to something they must not
	Forgotten      uint64 // requested retransmissions of data that is no longer kept
	QueueFull      uint64 // messages dropped because the peer's queue was full
	QueueOld       uint64 // messages dropped because they were queued for too long
	Unreachable    uint64 // messages dropped because the peer's sessions ended
}

// Stats returns the counters. The endpoint owns them.
func (e *Endpoint) Stats() *Stats { return &e.stats }

// Heartbeats returns the time of n heartbeats to a peer plus 25% for scheduling delays at both ends.
func (e *Endpoint) Heartbeats(n time.Duration) time.Duration { return n * e.cfg.HeartbeatGap * 5 / 4 }

// content describes what one packet carried: small messages in the arena, a piece of a large message, or nothing that
// would have to be retransmitted.
type content struct {
	off     uint64 // offset in the arena of the plaintext, or of an index of its messages; 0 for none
	size    uint32 // of the plaintext or index; a uint32 leaves room for the flags, which keeps the many sent-log entries small
	index   bool
	probe   bool               // a padded Ping: its loss says nothing about the rate
	settled bool               // the packet's content was handled after a loss: its packet number is obsolete
	message *assembly.Assembly // the large message of piece; nil for none
	piece   rangeset.Range
	total   uint64 // Peer.sent including this packet
}

// carries returns the content of a packet whose plaintext, or index of messages, is in the arena.
func carries(m arena.Ref) content { return content{off: m.Off, size: m.Size} }

// ref returns the location of the plaintext or index, or the zero Ref if there is none.
func (c *content) ref() arena.Ref { return arena.Ref{Off: c.off, Size: c.size} }

// repairable reports whether the packet would be retransmitted if it were lost.
func (c *content) repairable() bool { return c.message != nil || c.off != 0 }

// indexEntry is the size of one Ref in the index that the arena keeps for a packet of non-contiguous messages.
const indexEntry = 8 + 4 // bytes

// Bounds of the sent log. A peer requests a lost packet five times within ten round trips.
const (
	SentHorizon = 10 * time.Second // maximum time for which sent packets are remembered
	logHorizon  = time.Second      // minimum time
	logNewest   = 32               // this many packets are remembered for at least two heartbeats
)

// nakMax is the maximum number of packet numbers that the Naks of one packet may name.
const nakMax = session.WindowSize

// AcksMax is the maximum number of Pings of one packet that are answered. A correct node sends one.
const AcksMax = 4

// BeginPacket resets the counts of what one received packet causes. A packet may contain thousands of messages, so the
// bounds apply to all of them together. Otherwise a malicious member could make this node send many packets for one, to
// an address that need not be the member's own.
func (e *Endpoint) BeginPacket() { e.named, e.answered, e.caused = 0, 0, caused{} }

// MayAck counts a Ping of the packet in progress and reports whether to answer it.
func (e *Endpoint) MayAck() bool {
	e.answered++
	return e.answered <= AcksMax
}

// mayName reports whether n more packet numbers may be looked up. Those of one packet are disjoint, in one window.
func (e *Endpoint) mayName(n uint32) bool {
	if e.named+uint64(n) > nakMax {
		return false
	}
	e.named += uint64(n)
	return true
}

// Bounds on what the messages of one received packet may cause to be sent, regardless of their requests and of the
// receivers of the answers (docs/PROTOCOL.md P12). One request for members may cause 64 datagrams of entries.
const (
	causedPackets = 80        // control packets
	causedBytes   = 128 << 10 // bytes in those packets
)

// caused counts the control sent since the packet in progress began.
type caused struct{ packets, bytes int }

func (d *caused) add(bytes int) {
	d.packets++
	d.bytes += bytes
}

// Refuse reports whether a message must be dropped because it requests something and the packet in progress has reached
// its bound. It counts the dropped message.
func (e *Endpoint) Refuse(k wire.Kind) bool {
	if !k.Requests() || !e.Exhausted() {
		return false
	}
	e.stats.Unexpected++
	return true
}

// Exhausted reports whether the packet in progress has caused as much control as it may.
func (e *Endpoint) Exhausted() bool {
	return e.caused.packets >= causedPackets || e.caused.bytes >= causedBytes
}
