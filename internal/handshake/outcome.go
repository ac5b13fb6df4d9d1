package handshake

import "github.com/gwyh-go/gwyh/internal/wire"

// An OutcomeKind says what an Outcome reports, or what it requests from the core.
type OutcomeKind uint8

const (
	// SendHandshake requests to send Message to To under the next packet number of that address.
	SendHandshake OutcomeKind = iota
	// SendPacket requests to send Packet, the bytes that were passed to [Endpoint.Introduce], to To.
	SendPacket
	// SessionEstablished passes Session, one end of a new session, to the core, which must call [Endpoint.Introduce].
	// Nothing may be sealed under a legacy session until a box opens under it or GoTeamReceived follows.
	SessionEstablished
	// GoTeamReceived reports that the legacy node Peer completed the handshake Handshake, which this node began.
	// From now on boxes may be sealed under its session.
	GoTeamReceived
	// SendLegacyProbe requests to send an empty Frame to To, under the session of the handshake Handshake with the
	// legacy node Peer. The peer's Nak confirms the session.
	SendLegacyProbe
	// AttemptFailed reports that the attempt Attempt reached its end time. Err is ErrNoAnswer, ErrUnconfirmed or a
	// *RefusedError.
	AttemptFailed
	// AttemptSlow reports, once per attempt, that the packets of Attempt take long to be written. The core may call
	// [Endpoint.Extend].
	AttemptSlow
	// PacketRejected reports that a packet from From, with the sender Peer, was dropped for Reason. If Reason is Unfinished,
	// a handshake that Peer began at From ended half-open. If Reason is Returned, the packet is a Hello of Attempt that was sent to To.
	// If To is an address of this node, the attempt has reached its own node, and the core ends it with
	// [Endpoint.Cancel].
	PacketRejected
)

// An Outcome is one result of an input to an Endpoint. Kind determines which other fields are set. Message, Packet
// and Session point into the Endpoint: they are read-only, and valid until its next packet or timeout.
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
