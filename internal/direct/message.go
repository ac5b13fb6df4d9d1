// Package direct sends and receives direct messages: messages to one node alone (docs/PROTOCOL.md, "Direct messages").
//
// It owns the messages that wait for a session or for an acknowledgement, when each is repeated and when it ends, to which
// peer an address belongs, and the ids of the direct messages that came. It sends nothing itself and knows neither packets,
// handshakes nor members: an input to the Sender returns what it wants done as Outcomes, which the core carries out in
// order, and the Receiver returns what to acknowledge and to deliver. Large messages are in the store of the core.
//
// To read it: message.go has a message and its bounds, sender.go begins and ends messages, wait.go keeps those without a
// session, repeat.go repeats those that are not acknowledged, outcome.go says what the core is asked to do, receiver.go
// takes in what others send. coverage.go is the content of questions
// about a broadcast.
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
	WaitingMax   = 1024                  // messages that wait for a session
	WaitingBytes = 32 << 20              // bytes of them
	AwaitedMax   = 4096                  // messages that wait for their acknowledgement
	KeptBytes    = assembly.StoreMax / 2 // bytes of the large ones among them
	routesMax    = 4096                  // addresses whose peer is remembered

	repeatMin  = 200 * time.Millisecond // between two repeats
	repeatMax  = 2 * time.Second
	redialIdle = time.Second // a peer that was silent for longer gets a new handshake
)

// Why a message is not taken, or was not acknowledged.
var (
	ErrQueueFull  = errors.New("the queues of this node are full")
	ErrUnanswered = errors.New("no acknowledgement came in time")
	ErrNoSession  = errors.New("the node does not answer")
	ErrLegacy     = errors.New("the node speaks gwyh 0.1, which knows no messages to one node")
	ErrOneself    = errors.New("the address is this node's own")
)

// A Token names a reliable message of the application. Zero names none.
type Token uint64

// A Peer is what this package keeps of a node with which there is a session. It must not be copied.
type Peer struct {
	ID wire.NodeID
}

// A Session is what the caller knows of the session with a peer. The zero value says that there is none.
type Session struct {
	Current   bool      // a box can be sealed
	Heard     time.Time // when a packet of the peer last came
	Unwritten bool      // what was sent to the peer waits for a slow transport
}

// A Message is a message of this node. The caller sets the first fields before [Sender.Begin], which sets the others. A
// Message is valid until it has ended, and must not be copied.
type Message struct {
	ID    wire.MessageID
	To    netip.AddrPort
	Use   wire.Use
	Until time.Time // when the message ends if it was neither sent nor acknowledged before
	For   any       // what the message belongs to; this package does not use it

	Data  []byte             // the content of a small message
	Large *assembly.Assembly // a message that goes in pieces; nil for a small one

	token Token
	dial  uint64        // the handshake that it waits for
	peer  *Peer         // nil while it waits for a session
	pause time.Duration // until the next repeat
	upto  uint32        // bytes that are acknowledged
	timer timer.Timer
}

// Token returns the name of a reliable message of the application; zero for any other.
func (m *Message) Token() Token { return m.token }

// Peer returns the peer that the message was sent to; nil while it waits for a session.
func (m *Message) Peer() *Peer { return m.peer }

// Size returns the bytes of the content.
func (m *Message) Size() int {
	if m.Large != nil {
		return int(m.Large.Total)
	}
	return len(m.Data)
}

// lacks reports whether ack, of a part of m, names bytes that the receiver lacks.
func (m *Message) lacks(ack wire.DirectAck) bool {
	return m.Large != nil && ack.Upto < ack.Next && ack.Next <= m.Large.Total
}
