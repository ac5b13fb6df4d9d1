package direct

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
)

// A Kind says what an Outcome asks of the core, or tells it.
type Kind uint8

const (
	// Send asks to send Message to Peer: one datagram, or a transfer of Message.Large unless there is one.
	Send Kind = iota
	// Repeat asks to send Message to Peer again. Of a large one it asks for the bytes Missing and the last byte, unless
	// some of the message remains to be sent to Peer: the last byte makes the receiver say what it lacks.
	Repeat
	// EndTransfer asks to end the transfer of Message.Large to Peer. Its bytes are gone.
	EndTransfer
	// Dial asks for a handshake with the node at To until Until. [Sender.SessionReady], [Sender.DialFailed] or
	// [Sender.ReachedSelf] follows, with the number in Dial.
	Dial
	// Ended tells that Message, which somebody waits for, was acknowledged, or failed because of Err.
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

// add appends an outcome to the buffer of the input in progress.
func (x *Sender) add(o Outcome) { x.out = append(x.out, o) }

// take ends the input in progress and returns the buffer to the caller, who owns it.
func (x *Sender) take() []Outcome {
	out := x.out
	x.out = nil
	return out
}
