package session

import (
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
)

// Null is the suite of simulations. It encrypts nothing and provides no security. Sizes, prefix, packet numbers and
// replay window are those of NaCl. The tag is a checksum that covers key, nonce, length and data, so a damaged box
// or one under another key fails as it does with NaCl.
var Null Suite = null{}

type null struct{}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (null) Subkey(dst, key *[32]byte, prefix *[16]byte) {
	*dst = *key
	for i, c := range prefix {
		dst[i] ^= c
	}
}

func (null) Seal(subkey *[32]byte, tail *[8]byte, tag *[16]byte, dst, src []byte) {
	copy(dst, src)
	*tag = checksum(subkey, tail, dst)
}

func (null) Open(subkey *[32]byte, tail *[8]byte, tag *[16]byte, data []byte) bool {
	want := checksum(subkey, tail, data)
	return subtle.ConstantTimeCompare(tag[:], want[:]) == 1
}

// checksum returns the nonce's tail, a CRC of the data, and a CRC of the key plus the length.
func checksum(subkey *[32]byte, tail *[8]byte, data []byte) (tag [16]byte) {
	copy(tag[:8], tail[:])
	binary.BigEndian.PutUint32(tag[8:], crc32.Checksum(data, castagnoli))
	binary.BigEndian.PutUint32(tag[12:], crc32.Checksum(subkey[:], castagnoli)+uint32(len(data)))
	return tag
}
