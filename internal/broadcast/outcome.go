package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// An OutcomeKind says what an Outcome asks the core to do.
type OutcomeKind uint8

const (
	// SendPrune asks to send To a Prune that names Message: To becomes lazy, and stops sending Message.
	SendPrune OutcomeKind = iota
	// SendGraft asks to send To a Graft: To becomes eager.
	SendGraft
	// SendStop asks to send To, in one datagram, a Prune that names Message and a Graft: To stops sending Message and
	// stays eager.
	SendStop
	// SendRequest asks to send Want to To.
	SendRequest
	// SendAnnouncement asks to send Have to To.
	SendAnnouncement
	// ServeRequest asks to send To the bytes [From, Until) of Message, which it requested.
	ServeRequest
	// WakeAt asks for a [Disseminator.Tick] of To no later than At.
	WakeAt
)

// An Outcome is one thing that an input to a Disseminator wants done. Kind says which of the other fields are set. Want and
// Have are valid until the next input.
type Outcome struct {
	Kind        OutcomeKind
	To          *Neighbor
	Message     wire.MessageID
	From, Until uint32
	Want        *wire.Want
	Have        wire.Have
	At          time.Time
}
