package broadcast

import (
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An OutcomeKind says what an Outcome asks the core to do.
type OutcomeKind uint8

const (
	// SendPrune asks to send To a Prune with Steer.
	SendPrune OutcomeKind = iota
	// SendGraft asks to send To a Graft with Steer.
	SendGraft
	// SendStop asks to send To a Stop that names Message.
	SendStop
	// SendRequest asks to send Want to To.
	SendRequest
	// SendDigest asks to send Have to To.
	SendDigest
	// ServeRequest asks to send To the bytes [From, Until) of Message, which it requested, as far as they lie in it.
	ServeRequest
)

// An Outcome is one thing that an input to a Disseminator wants done. Kind says which of the other fields are set. Steer,
// Want and Have are valid until the next input.
type Outcome struct {
	Kind        OutcomeKind
	To          *Neighbor
	Message     wire.MessageID
	From, Until uint32
	Steer       wire.Steer
	Want        *wire.Want
	Have        *digest.List
}
