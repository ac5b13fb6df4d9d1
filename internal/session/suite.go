package session

// A Suite is the cipher of sessions. It stands behind an interface so that a simulation of many
// nodes can leave the arithmetic out (Null) while everything else, sizes included, stays the same.
//
// A key and the first 16 bytes of a nonce give a subkey, which a bound session derives once; the
// last 8 bytes of the nonce, the tail, differ from box to box. No method keeps an argument.
type Suite interface {
	// Subkey derives dst from key and the first 16 bytes of a nonce.
	Subkey(dst, key *[32]byte, prefix *[16]byte)
	// Seal encrypts src into dst, which is as long and overlaps src entirely or not at all, and
	// writes the tag. A pair of subkey and tail is used once.
	Seal(subkey *[32]byte, tail *[8]byte, tag *[16]byte, dst, src []byte)
	// Open decrypts data in place if tag fits it, and else leaves it as it is.
	Open(subkey *[32]byte, tail *[8]byte, tag *[16]byte, data []byte) bool
}
