package handshake

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An AttemptID identifies one call of Initiate. Zero identifies none.
type AttemptID uint64

// Established is the result of a handshake: one end of a session. A bound session is confirmed when a box opens
// under it. [SessionEstablished] says what may be sealed under a legacy session before that.
type Established struct {
	Peer      wire.NodeID
	Handshake wire.HandshakeID
	Attempt   AttemptID // 0 for a responder
	Initiator bool
	Legacy    bool  // carries the messages of part 1 only (PROTOCOL.md L11)
	Key       KeyID // the key under which the peer was verified

	// SendKey and RecvKey are equal in a legacy session: NaCl's precomputed box key. Introduce wipes both.
	SendKey, RecvKey [32]byte
	// Prefix is the start of the nonces of a bound session: the first half of the Ohai's binding.
	Prefix [16]byte

	Path  wire.Path // where to answer
	Zone  wire.Zone // of the peer; authenticated by the binding in a bound session only
	Block           // of the peer; zero in a legacy session

	Timestamp time.Time     // of the Hello
	RTT       time.Duration // from Hello to Ohai; 0 for a responder, or if the Hello was sent more than once
}

func (e *Established) wipe() {
	clear(e.SendKey[:])
	clear(e.RecvKey[:])
}

// A Self describes the node that the machines run for.
type Self struct {
	Node   wire.NodeID
	Secret *nodeid.Secret // of Node
	Zone   wire.Zone
	Block
}
