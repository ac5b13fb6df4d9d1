// Package direct sends and receives direct messages, which go to one node only (docs/PROTOCOL.md, "Direct messages").
//
// It owns the messages that wait for a session or an acknowledgement, the times of their retransmission and expiry, the
// mapping of addresses to peers, and the ids of received direct messages. It sends nothing itself, and knows no packets,
// handshakes or members: an input to the Sender returns Outcomes, which the core processes in order, and the Receiver
// returns what to acknowledge and to deliver. Large messages are stored in the core's assembly store.
//
// Reading order: message.go (a message and its bounds), sender.go (begins and ends messages), wait.go (messages without
// a session), repeat.go (retransmission), outcome.go, receiver.go, and coverage.go (questions about a broadcast).
package direct

import (
	"errors"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of direct messages (docs/PROTOCOL.md, "Direct messages").
const (
	WaitingMax   = 1024                  // maximum messages that wait for a session
	WaitingBytes = 32 << 20              // their maximum bytes
	AwaitedMax   = 4096                  // maximum messages that wait for their acknowledgement
	KeptBytes    = assembly.StoreMax / 2 // maximum bytes of the large ones among them
	SmallBytes   = 32 << 20              // maximum bytes of the small ones
	routesMax    = 4096                  // maximum addresses whose peer is remembered

	repeatMin  = 200 * time.Millisecond // minimum time between two retransmissions
	repeatMax  = 2 * time.Second
	redialIdle = time.Second // a peer that was silent for longer gets a new handshake
)

// Errors of messages that were not accepted or not acknowledged.
var (
	ErrQueueFull  = errors.New("the queues of this node are full")
	ErrUnanswered = errors.New("no acknowledgement arrived in time")
	ErrNoSession  = errors.New("the node does not answer")
	ErrLegacy     = errors.New("the node speaks gwyh 0.1, which knows no messages to one node")
	ErrOneself    = errors.New("the address is this node's own")
)

// A Token identifies a reliable message of the application. Zero means none.
type Token uint64

// A Peer is this package's state of a node with a session. It must not be copied.
type Peer struct {
	ID wire.NodeID
}

// A Session describes the caller's session with a peer. The zero value means that there is none.
type Session struct {
	Current   bool      // packets can be sealed
	Heard     time.Time // when the last packet of the peer arrived
	Unwritten bool      // data for the peer waits for a slow transport
}

// A Message is a message of this node. The caller sets the fields ID to For before [Sender.Begin], which sets the others.
// A Message is valid until it has ended. It must not be copied.
type Message struct {
	ID    wire.MessageID
	To    netip.AddrPort
	Use   wire.Use
	Until time.Time // when the message ends if it was not sent or acknowledged before
	For   any       // the owner of the message; not used by this package
	Place uint64    // where the caller has queued the small message, last; not used by this package

	Data  []byte             // content of a small message
	Large *assembly.Assembly // a message that is sent in pieces; nil for a small one

	token Token
	dial  uint64        // the handshake that the message waits for
	peer  *Peer         // nil while the message waits for a session
	pause time.Duration // time until the next retransmission
	upto  uint32        // acknowledged bytes
	timer timer.Timer
}

// Token returns the token of a reliable message of the application, or zero for any other message.
func (m *Message) Token() Token { return m.token }

// Peer returns the peer that the message was sent to, or nil while it waits for a session.
func (m *Message) Peer() *Peer { return m.peer }

// Size returns the size of the content in bytes.
func (m *Message) Size() int {
	if m.Large != nil {
		return int(m.Large.Total)
	}
	return len(m.Data)
}

// unfinished reports whether ack, which acknowledges a part of m, names bytes that the receiver lacks.
func (m *Message) unfinished(ack wire.DirectAck) bool {
	return m.Large != nil && ack.Upto < ack.Next && ack.Next <= m.Large.Total
}
