package session

import (
	"encoding/binary"
	"io"
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// legacyState is the additional state of a session with a gwyh 0.1 node.
type legacyState struct {
	rand   io.Reader // source of nonces
	subkey [32]byte  // scratch: the subkey of the current box
	tag    [16]byte  // scratch: its tag
	cipher []byte    // scratch: the ciphertext before it is encoded as an array
	recent recentNonces
}

// SealLegacy appends a whole packet with plaintext in a box as gwyh 0.1 writes it (PROTOCOL.md part 1): with
// arrays, a random nonce, and a packet number that the caller counts per address. It appends nothing if the session
// is closed or rand fails. It is for legacy sessions only.
func (s *Session) SealLegacy(now time.Time, b []byte, seq uint32, plaintext []byte) []byte {
	if s.closed || !s.p.Legacy || s.sent == math.MaxUint64 {
		return b
	}
	if _, err := io.ReadFull(s.legacy.rand, s.nonce[:]); err != nil {
		return b
	}
	s.sent++
	s.sealedAt = now
	l := s.legacy
	s.suite.Subkey(&l.subkey, &s.send, (*[16]byte)(s.nonce[:16]))
	l.cipher = append(l.cipher[:0], plaintext...)
	s.suite.Seal(&l.subkey, (*[8]byte)(s.nonce[16:]), &l.tag, l.cipher, l.cipher)
	return wire.AppendBoxArrays(b, seq, s.p.Self, &s.nonce, &l.tag, l.cipher)
}

func (s *Session) openLegacy(box *wire.Box) error {
	l, mark := s.legacy, binary.BigEndian.Uint64(box.Nonce[:8])
	if l.recent.contain(mark) {
		return ErrReplay
	}
	s.suite.Subkey(&l.subkey, &s.recv, (*[16]byte)(box.Nonce[:16]))
	if !s.suite.Open(&l.subkey, (*[8]byte)(box.Nonce[16:]), &box.Tag, box.Data) {
		return ErrForged
	}
	l.recent.add(mark)
	s.newest = true
	return nil
}

// recentNonces replaces the window, because legacy boxes have no packet numbers. It records the first 8 bytes of up to
// 256 random nonces, each at the index that the bytes determine, until another overwrites it. gwyh 0.1 has no replay
// protection and none can be added. This only stops prompt repetitions, such as a datagram duplicated by the network.
type recentNonces struct {
	marks *[recentPlaces]uint64 // nil until the first box
}

const recentPlaces = 256

func (r *recentNonces) contain(mark uint64) bool {
	return r.marks != nil && r.marks[mark%recentPlaces] == mark
}

func (r *recentNonces) add(mark uint64) {
	if r.marks == nil {
		r.marks = new([recentPlaces]uint64)
	}
	r.marks[mark%recentPlaces] = mark
}
