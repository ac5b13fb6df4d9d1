package members

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Hash returns a 64-bit hash of a node id. It does not resist attackers, who choose their ids, so only the buckets and the
// order of members may depend on it.
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

// Digest returns the digest of the entry, as of the table's last change of the entry. It covers all data of the entry,
// so that two nodes notice every difference (PROTOCOL.md Y1).
func (m *Entry) Digest() [16]byte { return m.digest }

// A sealer computes digests. It reuses its buffers.
type sealer struct {
	entry wire.Member
	buf   []byte
}

// digest returns the first 16 bytes of BLAKE2b-256 over the alive entry of m.
func (s *sealer) digest(m *Entry) [16]byte {
	m.Fill(&s.entry).State = wire.StateAlive
	s.buf = wire.AppendMember(s.buf[:0], &s.entry)
	sum := blake2b.Sum256(s.buf)
	return [16]byte(sum[:])
}

// A sum is the hash of a set of entries: the sum, modulo 2^1024, of a number for each of them, which follows from its
// digest. So a change of one entry changes the sum without a look at the others. A member chooses what its entries say,
// but a set of at most 2^17 of them whose numbers add up to a given sum takes it more than 2^70 operations to find
// (Wagner 2002). With XOR, or with 64 bits, it is found at once.
type sum [16]uint64 // least significant first

// add adds the number of an entry, or another sum.
func (s *sum) add(o *sum) {
	carry := uint64(0)
	for i := range s {
		s[i], carry = bits.Add64(s[i], o[i], carry)
	}
}

// remove removes the number of an entry.
func (s *sum) remove(o *sum) {
	borrow := uint64(0)
	for i := range s {
		s[i], borrow = bits.Sub64(s[i], o[i], borrow)
	}
}

// number returns the number of an entry with the digest: BLAKE2b-512 of its digest and a zero byte, then of its digest and a one, as a
// big-endian number of 1,024 bits.
func number(digest *[16]byte) (n sum) {
	var in [17]byte
	copy(in[:], digest[:])
	for half := range 2 {
		in[16] = byte(half)
		out := blake2b.Sum512(in[:])
		for i := range 8 {
			n[15-8*half-i] = binary.BigEndian.Uint64(out[8*i:])
		}
	}
	return n
}

// hash returns what a node sends of a sum: the first 8 bytes of BLAKE2b-256 of the salt and the sum, and 0 for the sum
// of nothing. The salt is the sender's and stays the same while its node runs. A member that knows the salt finds two sets of
// entries with the same hash after about 2^32 operations, and with the same hashes under the salts of two nodes after about
// 2^64. Two neighbors compare under the salts of both.
func (s *sum) hash(salt uint64) uint64 {
	if *s == (sum{}) {
		return 0
	}
	var in [8 + 128]byte
	binary.BigEndian.PutUint64(in[:], salt)
	for i, limb := range s {
		binary.BigEndian.PutUint64(in[len(in)-8*(i+1):], limb)
	}
	out := blake2b.Sum256(in[:])
	return binary.BigEndian.Uint64(out[:])
}

// Bucket returns the bucket of a node among 2^bits buckets (PROTOCOL.md Y2).
func Bucket(id wire.NodeID, bits uint8) uint32 { return uint32(Hash(id) >> 32 >> (32 - bits)) }
