package handshake

import "github.com/gwyh-go/gwyh/internal/wire"

// An OutcomeKind says what an Outcome asks of the core, or tells it.
type OutcomeKind uint8

const (
	// SendHandshake asks to send Message to To under the next packet number of that address.
	SendHandshake OutcomeKind = iota
	// SendPacket asks to send Packet to To: a packet that was given to [Endpoint.Introduce], the same bytes each time.
	SendPacket
	// SessionEstablished hands over Session, one end of a new session. The core answers with [Endpoint.Introduce].
	// Nothing may be sealed under a legacy session until a box opens under it or GoTeamReceived follows.
	SessionEstablished
	// GoTeamReceived says that the legacy node Peer completed the handshake Handshake, which this node began. Boxes may
	// be sealed under its session from now on.
	GoTeamReceived
	// SendLegacyProbe asks to send an empty Frame to To, under the session of the handshake Handshake with the legacy
	// node Peer. The peer's Nak confirms the session.
	SendLegacyProbe
	// AttemptFailed says that the attempt Attempt ended because its time is up. Err is ErrNoAnswer, ErrUnconfirmed or
	// a *RefusedError.
	AttemptFailed
	// AttemptSlow says, once per attempt, that the packets of Attempt take long to be written. The core may answer with
	// [Endpoint.Extend].
	AttemptSlow
	// PacketRejected says that a packet from From was dropped, or that a half-open handshake gave way, for Reason. If
	// Reason is Returned, the packet is a Hello of Attempt that went to To. If To is an address of this node, the
	// attempt has reached its own node, and the core ends it with [Endpoint.Cancel].
	PacketRejected
)

// An Outcome is one result of an input to an Endpoint. Kind says which of the other fields are set. Message, Packet and
// Session point into the Endpoint: they are read-only, and valid until its next input of a packet or a timeout.
type Outcome struct {
	Kind      OutcomeKind
	Reason    Reason
	Attempt   AttemptID
	To, From  wire.Path
	Peer      wire.NodeID
	Handshake wire.HandshakeID
	Message   *wire.Handshake
	Packet    []byte
	Session   *Established
	Err       error
}
