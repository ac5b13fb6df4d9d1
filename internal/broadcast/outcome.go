package broadcast

import (
	"github.com/gwyh-go/gwyh/internal/assembly"
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
	// SendStripes asks the core to send To a Stripes.
	SendStripes
	// ChangeStripes asks the core to send To only the stripes Take of Message from now on.
	ChangeStripes
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
// Stripes, Want and Have are valid until the next input.
type Outcome struct {
	Kind        OutcomeKind
	To          *Neighbor
	Message     wire.MessageID
	From, Until uint32
	Steer       wire.Steer
	Stripes     wire.Stripes
	Take        assembly.Stripes
	Want        *wire.Want
	Have        *digest.List
}
