package members

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Hash spreads a node id over 64 bits. It does not resist attackers, who choose their ids: nothing but the places of members in buckets, and
// the nodes that a gwyh 0.1 node talks to, may depend on it.
func Hash(id wire.NodeID) uint64 {
	return Mix(binary.BigEndian.Uint64(id[:8]) ^ Mix(binary.BigEndian.Uint64(id[8:])+0x9e3779b97f4a7c15))
}

// Mix is the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
func Mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Digest is an entry's part in the hashes that two nodes compare. It covers all that the entry says, so that no two nodes believe
// different things of a member unnoticed. It is that of the table's last change of the entry.
func (m *Entry) Digest() uint64 { return m.digest }

// A sealer computes digests. It keeps its buffers.
type sealer struct {
	entry wire.Member
	buf   []byte
}

// digest returns the first 8 bytes of BLAKE2b-256 over the alive entry of m.
func (s *sealer) digest(m *Entry) uint64 {
	m.Fill(&s.entry).State = wire.StateAlive
	s.buf = wire.AppendMember(s.buf[:0], &s.entry)
	sum := blake2b.Sum256(s.buf)
	return binary.BigEndian.Uint64(sum[:])
}

// Bucket is the bucket of a node among 2^bits buckets.
func Bucket(id wire.NodeID, bits uint8) uint32 { return uint32(Hash(id) >> 32 >> (32 - bits)) }
