package members

import (
	"io"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A node id is the end of a chain of hashes that begins with a secret of the node. A node that leaves reveals the
// element of the chain before its id, and before the last element that it revealed. Only that node knows the element,
// and every node can check it, so no other node can make a departure (docs/PROTOCOL.md N1).

// DeparturesMax is the number of departures that a node can prove.
const DeparturesMax = 32

// NewID draws a node id and the secret that proves the departures of its node.
func NewID(random io.Reader) (id, secret wire.NodeID, err error) {
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return id, secret, err
	}
	secret = asID(secret)
	return proofOf(secret, 0), secret, nil
}

// proofOf returns the proof of the n-th departure of the node with a secret. The proof of the departure 0 is its id.
func proofOf(secret wire.NodeID, n int) wire.NodeID {
	for range DeparturesMax - n {
		secret = hashID(secret)
	}
	return secret
}

// departuresOf returns which departure of a node a proof proves: 1 for the first one, and 0 if it is no proof.
func departuresOf(id, proof wire.NodeID) uint8 {
	if proof == (wire.NodeID{}) {
		return 0
	}
	for n := range uint8(DeparturesMax) {
		if proof = hashID(proof); proof == id {
			return n + 1
		}
	}
	return 0
}

// hashID returns the next element of a chain.
func hashID(id wire.NodeID) wire.NodeID {
	sum := blake2b.Sum256(id[:])
	return asID(wire.NodeID(sum[:16]))
}

// asID sets the bits of a UUID of version 8.
func asID(id wire.NodeID) wire.NodeID {
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// hasLeft reports whether a left entry proves a departure of its node that is not m's last one or an earlier one. m is
// the entry of that node, or nil.
func hasLeft(m *Entry, e *wire.Member) bool {
	n := departuresOf(e.ID, e.From)
	return n > 0 && (m == nil || n > m.Departures)
}

// noteDeparture records the departure that From proves, so that its proof and earlier ones prove nothing any more.
func (m *Entry) noteDeparture() { m.Departures = max(m.Departures, departuresOf(m.ID, m.From)) }
