package broadcast

import (
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An OutcomeKind says what an Outcome asks the core to do.
type OutcomeKind uint8

const (
	// SendPrune asks the core to send To a Prune with Steer.
	SendPrune OutcomeKind = iota
	// SendGraft asks the core to send To a Graft with Steer.
	SendGraft
	// SendStop asks the core to send To a Stop that names Message.
	SendStop
	// SendRequest asks the core to send Want to To.
	SendRequest
	// SendDigest asks the core to send Have to To.
	SendDigest
	// ServeRequest asks the core to send To the requested bytes [From, Until) of Message, limited to its length.
	ServeRequest
)

// An Outcome is one action that an input requests from the core. Kind says which of the other fields are set. Steer,
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
