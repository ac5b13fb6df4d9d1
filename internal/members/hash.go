package members

import (
	"encoding/binary"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Hash spreads a node id over 64 bits. It does not resist attackers: the ids belong to members, which hold the key.
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

// Digest is an entry's part in the hashes that two nodes compare: it covers the id and the incarnation.
func (m *Entry) Digest() uint64 { return Mix(Hash(m.ID) ^ Mix(m.Incarnation)) }

// Bucket is the bucket of a node among 2^bits buckets.
func Bucket(id wire.NodeID, bits uint8) uint32 { return uint32(Hash(id) >> 32 >> (32 - bits)) }
