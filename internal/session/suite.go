package session

// A Suite is the cipher of sessions. It is an interface so that a simulation of many nodes can omit the
// cryptography (Null) while everything else, including sizes, stays the same.
//
// A key and the first 16 bytes of a nonce determine a subkey, which a bound session derives once. The last 8 bytes
// of the nonce, the tail, differ for each box. No method retains an argument.
type Suite interface {
	// Subkey derives dst from key and the first 16 bytes of a nonce.
	Subkey(dst, key *[32]byte, prefix *[16]byte)
	// Seal encrypts src into dst, which has the same length and overlaps src entirely or not at all, and writes the
	// tag. A pair of subkey and tail must be used only once.
	Seal(subkey *[32]byte, tail *[8]byte, tag *[16]byte, dst, src []byte)
	// Open decrypts data in place if the tag is valid. Otherwise it leaves data unchanged.
	Open(subkey *[32]byte, tail *[8]byte, tag *[16]byte, data []byte) bool
}
