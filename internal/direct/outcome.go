package direct

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
)

// A Kind says what an Outcome asks of the core or reports to it.
type Kind uint8

const (
	// Send asks the core to send Message to Peer as one datagram, or to begin a transfer of Message.Large if there is none.
	Send Kind = iota
	// Repeat asks the core to send Message to Peer again. For a large one, it asks for the bytes Missing and the last
	// byte, unless a part of the message has not been sent yet: the last byte makes the receiver report what it lacks.
	Repeat
	// EndTransfer asks the core to end the transfer of Message.Large to Peer. Its bytes are gone.
	EndTransfer
	// Dial asks the core for a handshake with the node at To until Until. The core then calls [Sender.SessionReady],
	// [Sender.DialFailed] or [Sender.ReachedSelf] with the number in Dial.
	Dial
	// Ended reports that Message, which is acknowledged by its receiver, was acknowledged, or failed because of Err.
	Ended
)

// An Outcome is one result of an input to a Sender. Kind says which of the other fields are set.
type Outcome struct {
	Kind    Kind
	Message *Message
	Peer    *Peer
	Missing rangeset.Range
	To      netip.AddrPort
	Until   time.Time
	Dial    uint64
	Err     error
}

// add appends an outcome to the buffer of the current input.
func (x *Sender) add(o Outcome) { x.out = append(x.out, o) }

// take ends the current input and returns the buffer to the caller, who owns it.
func (x *Sender) take() []Outcome {
	out := x.out
	x.out = nil
	return out
}
