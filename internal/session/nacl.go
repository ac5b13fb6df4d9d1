package session

//lint:file-ignore SA1019 the protocol is XSalsa20-Poly1305, of which secretbox can neither work in place nor keep the subkey

import (
	"crypto/subtle"
	"encoding/binary"

	"golang.org/x/crypto/poly1305"
	"golang.org/x/crypto/salsa20/salsa"
)

// NaCl is XSalsa20-Poly1305 as nacl/secretbox and nacl/box compute it (PROTOCOL.md C4 and S2), from the same
// primitives. Unlike them it works in place, and a bound session derives the subkey only once, which makes small
// boxes cheaper.
var NaCl Suite = nacl{}

type nacl struct{}

// firstChunk is the size of the first piece of key stream, enough for most small messages. Its first 32 bytes are
// the Poly1305 key, and the rest encrypts the start of the message.
const firstChunk = 512

const macKeySize = 32

func (nacl) Subkey(dst, key *[32]byte, prefix *[16]byte) {
	salsa.HSalsa20(dst, prefix, key, &salsa.Sigma)
}

func (nacl) Seal(subkey *[32]byte, tail *[8]byte, tag *[16]byte, dst, src []byte) {
	var stream [firstChunk]byte
	keyStream(&stream, subkey, tail, len(src))
	xor(dst, src, &stream, subkey, tail)
	poly1305.Sum(tag, dst, (*[32]byte)(stream[:macKeySize]))
}

func (nacl) Open(subkey *[32]byte, tail *[8]byte, tag *[16]byte, data []byte) bool {
	var stream [firstChunk]byte
	keyStream(&stream, subkey, tail, len(data))
	if !poly1305.Verify(tag, data, (*[32]byte)(stream[:macKeySize])) {
		return false
	}
	xor(data, data, &stream, subkey, tail)
	return true
}

// keyStream fills stream, which is zero, as far as a message of n bytes needs it. The assembly of x/crypto makes
// 256 bytes in the time of two single blocks of 64, so a remainder above 128 bytes is rounded up.
func keyStream(stream *[firstChunk]byte, subkey *[32]byte, tail *[8]byte, n int) {
	n += macKeySize
	if n%256 > 128 {
		n += 256 - n%256
	}
	n = min(n, firstChunk)
	counter := blockCounter(tail, 0)
	salsa.XORKeyStream(stream[:n], stream[:n], &counter, subkey)
}

// xor encrypts or decrypts src into dst: the start with stream, the rest with the key stream after it.
func xor(dst, src []byte, stream *[firstChunk]byte, subkey *[32]byte, tail *[8]byte) {
	n := subtle.XORBytes(dst, src, stream[macKeySize:])
	if n == len(src) {
		return
	}
	counter := blockCounter(tail, firstChunk/64)
	salsa.XORKeyStream(dst[n:], src[n:], &counter, subkey)
}

// blockCounter returns Salsa20's input besides the key: the nonce's tail and a little-endian block number.
func blockCounter(tail *[8]byte, block uint64) (counter [16]byte) {
	copy(counter[:8], tail[:])
	binary.LittleEndian.PutUint64(counter[8:], block)
	return counter
}
