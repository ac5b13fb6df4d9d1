package members

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Hash returns a 64-bit hash of a node id. It does not resist attackers, who choose their ids, so only the buckets and the
// order of members and the choice of links may depend on it.
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

// Digest returns the entry's part of the hashes that two nodes compare, as of the table's last change of the entry. It
// covers all data of the entry, so that two nodes notice every difference (PROTOCOL.md Y1).
func (m *Entry) Digest() uint64 { return m.digest }

// A sealer computes digests. It reuses its buffers.
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

// Bucket returns the bucket of a node among 2^bits buckets (PROTOCOL.md Y2).
func Bucket(id wire.NodeID, bits uint8) uint32 { return uint32(Hash(id) >> 32 >> (32 - bits)) }
