package handshake

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// An AttemptID names one call of Initiate. Zero names none.
type AttemptID uint64

// Established is what a handshake ends in: one end of a session. A bound session is confirmed when a
// box opens under it; what a legacy one may carry before that is said at [SessionEstablished].
type Established struct {
	Peer      wire.NodeID
	Handshake wire.HandshakeID
	Attempt   AttemptID // 0 for a responder
	Initiator bool
	Legacy    bool  // carries part 1 only (PROTOCOL.md 3 rule 11)
	Key       KeyID // the key that vouched for the peer

	// SendKey and RecvKey are the same, NaCl's precomputed box key, in a legacy session. Introduce wipes
	// them.
	SendKey, RecvKey [32]byte
	// Prefix begins the nonces of a bound session: the first half of the Ohai's binding.
	Prefix [16]byte

	Path  wire.Path // where to answer
	Zone  wire.Zone // of the peer, covered by the binding in a bound session only
	Block           // of the peer; zero in a legacy session

	Timestamp time.Time     // of the Hello
	RTT       time.Duration // from Hello to Ohai; 0 for a responder, or when the Hello was sent more than once
}

func (e *Established) wipe() {
	clear(e.SendKey[:])
	clear(e.RecvKey[:])
}

// A Self is what the machines say of their own node.
type Self struct {
	Node wire.NodeID
	Zone wire.Zone
	Block
}
