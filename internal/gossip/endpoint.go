package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// endpointConfig is what an endpoint is made with.
type endpointConfig struct {
	Heartbeat time.Duration // interval of the heartbeats that this node sends
	Paths     pmtu.Config
}

// endpoint is what the peers of one node share: where their datagrams go, what is kept for retransmission, and the
// counters. Not for concurrent use.
type endpoint struct {
	cfg    endpointConfig
	ids    *wire.IDs
	out    *outbox.Outbox
	arena  *arena
	timers *timer.Heap
	stats  endpointStats

	named    uint64 // packet numbers that the Naks of the packet in progress have named
	settling []byte // answers to those Naks
	unfit    []byte // messages that were lost and do not fit into a datagram any more

	control []byte   // scratch of one function: a plaintext that is sent at once
	joined  []byte   // scratch of gather
	index   []byte   // scratch of gather
	going   []stored // scratch of sendQueued
}

// endpointStats counts what the peers did. All fields only grow.
type endpointStats struct {
	FrameBytes    uint64 // bytes of large messages sent, retransmissions included
	NaksSent      uint64 // ranges of packets that were asked for again
	Resent        uint64 // messages, and pieces of large ones, that were sent again
	DatagramsLost uint64 // packets of peers that never arrived, of sessions that have ended
	PathsShrunk   uint64 // peers whose largest datagrams did not arrive any more

	UnknownSession uint64 // packets for a peer without a session
	MalformedBody  uint64 // messages that do not parse
	Unexpected     uint64 // messages that name what they must not
	Forgotten      uint64 // retransmissions of what is not kept any more
	QueueFull      uint64 // messages for a peer with too large a queue
	QueueOld       uint64 // messages that were queued for too long
	Unreachable    uint64 // messages for a peer whose sessions ended
}

// heartbeats is the time in which n heartbeats are sent, with a margin for the scheduling of either end.
func (e *endpoint) heartbeats(n time.Duration) time.Duration { return n * e.cfg.Heartbeat * 5 / 4 }
