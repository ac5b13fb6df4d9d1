// Package nodeid makes node ids of which only their nodes can prove that they are theirs (PROTOCOL.md N1).
//
// An id is a hash of two things. The first one is a public key: the node shows in each handshake that it has the private
// key. The second one is the end of a chain of hashes that begins with a secret: a node that leaves reveals the element
// of the chain before the last one that it has revealed. Only that node knows the element, and every node can check it.
package nodeid

import (
	"io"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// DeparturesMax is the number of departures that a node can prove.
const DeparturesMax = 32

// A Claim is what a node shows of its id in a handshake: the end of its chain and its public key.
type Claim [48]byte

// ID returns the id that the claim belongs to.
func (c *Claim) ID() wire.NodeID { return idOf(wire.NodeID(c[:16]), c.keyHash()) }

// Key returns the public key.
func (c *Claim) Key() *[32]byte { return (*[32]byte)(c[16:]) }

func (c *Claim) keyHash() [16]byte {
	sum := blake2b.Sum256(c[16:])
	return [16]byte(sum[:16])
}

// A Secret is what a node needs to prove its id and its departures. It is immutable.
type Secret struct {
	Key   PrivateKey
	Claim Claim
	chain wire.NodeID // the beginning of the chain
}

// New draws a node id and its secret.
func New(random io.Reader, agreement Agreement) (wire.NodeID, *Secret, error) {
	var drawn [48]byte
	defer clear(drawn[:])
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		return wire.NodeID{}, nil, err
	}
	s := &Secret{chain: asID(wire.NodeID(drawn[32:]))}
	var public [32]byte
	s.Key, public = agreement((*[32]byte)(drawn[:32]))
	end := s.element(0)
	copy(s.Claim[copy(s.Claim[:], end[:]):], public[:])
	return s.Claim.ID(), s, nil
}

// Departure returns the proof of the n-th departure of the node, from 1 to DeparturesMax.
func (s *Secret) Departure(n int) (p wire.Proof) {
	e, key := s.element(n), s.Claim.keyHash()
	copy(p[copy(p[:], e[:]):], key[:])
	return p
}

func (s *Secret) element(n int) wire.NodeID {
	e := s.chain
	for range DeparturesMax - n {
		e = hash(e[:])
	}
	return e
}

// Departures returns which departure of a node a proof proves: 1 for the first one, and 0 if it is no proof.
func Departures(id wire.NodeID, p *wire.Proof) uint8 {
	if *p == (wire.Proof{}) {
		return 0
	}
	e := wire.NodeID(p[:16])
	for n := range uint8(DeparturesMax) {
		if e = hash(e[:]); idOf(e, [16]byte(p[16:])) == id {
			return n + 1
		}
	}
	return 0
}

func idOf(end wire.NodeID, key [16]byte) wire.NodeID {
	var both [32]byte
	copy(both[copy(both[:], end[:]):], key[:])
	return hash(both[:])
}

func hash(b []byte) wire.NodeID {
	sum := blake2b.Sum256(b)
	return asID(wire.NodeID(sum[:16]))
}

// asID sets the bits of a UUID of version 8.
func asID(id wire.NodeID) wire.NodeID {
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}
