// Package pair is two nodes that have a session with each other, and the network between them, for tests of the packages
// that carry messages (internal/delivery and those above it). A node has sessions, packets, a member table and a failure
// detector, and no core: the test says what happens to each message that arrives.
//
// Time is virtual and datagrams arrive at once, so a test is the same each time.
//
// Reading order: pair.go (the nodes), run.go (time and datagrams), new.go. pair.go uses no other file, and no file uses new.go.
package pair

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/outcome"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Epoch is where virtual time begins.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// DatagramSize is the largest datagram of the nodes, in bytes.
const DatagramSize = 1400

// A World is two nodes, A and B, and the virtual time.
type World struct {
	T    *testing.T
	Now  time.Time
	A, B *Node
}

// A Node has what a component that carries messages needs. It is not a member of the other node's table until the test
// adds it.
type Node struct {
	ID       wire.NodeID
	Delivery *delivery.Delivery
	Detector *swim.Detector
	Sessions *peers.Table
	Members  members.Table
	Peer     *delivery.Peer // the other node
	Path     wire.Path      // where this node is
	IDs      wire.IDs
	RNG      *rand.Rand
	Timers   timer.Heap
	Out      outbox.Outbox
	Events   event.Queue
	Report   *report.Reporter
	Stats    stats.Stats

	// Handle gets each message that arrives, except those that only repair and pace packets. If it is nil, they are ignored.
	Handle func(in Arrival, m *wire.Message)

	// Tick does what is due for Peer beside its packets, and returns when it must be called next. It may be nil.
	Tick func(now time.Time) time.Time

	Kinds []wire.Kind // the messages that arrived

	w        *World
	legacy   []*Legacy
	outcomes outcome.Buffer[handshake.Outcome]
}

// An Arrival says how a message arrived.
type Arrival struct {
	From    wire.Path
	Channel *packets.Channel
}

// Legacy is a node of gwyh 0.1 that has a session with a Node and never answers.
type Legacy struct {
	ID   wire.NodeID
	Path wire.Path
	Peer *delivery.Peer // what the Node keeps about it
	Got  []wire.Message // the messages that arrived, one of each packet

	w *World
	s *session.Session
}
