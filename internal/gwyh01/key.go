package gwyh01

import (
	"hash"
	"strconv"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/salsa20/salsa" //lint:ignore SA1019 box.Precompute takes a secret key, of which an Agreement shows none
)

// A key is one pre-shared key ("Crypto of part 1" in PROTOCOL.md).
type key struct {
	psk []byte
	k   [64]byte
}

func newKey(psk string) key { return key{[]byte(psk), blake2b.Sum512([]byte(psk))} }

// hmac returns the sum of an Hmac for the timestamp of a Hello.
func (k *key) hmac(message []byte, stamp time.Time) (sum [64]byte) {
	h := blake(k.k[:])
	h.Write(message)
	h.Write(strconv.AppendInt(nil, stamp.UnixNano(), 10))
	h.Sum(sum[:0])
	return sum
}

// response returns the answer to the challenge of an Ohai.
func (k *key) response(challenge *[69]byte, ohai *[32]byte, id wire.HandshakeID) (sum [64]byte) {
	h := blake(nil)
	for _, part := range [][]byte{k.psk, challenge[:], ohai[:], id[:]} {
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

func blake(key []byte) hash.Hash {
	h, err := blake2b.New512(key)
	if err != nil {
		panic("gwyh01: " + err.Error())
	}
	return h
}

// boxKey returns the key that NaCl's box precomputes from a shared secret.
func boxKey(shared *[32]byte) (key [32]byte) {
	salsa.HSalsa20(&key, new([16]byte), shared, &salsa.Sigma)
	return key
}
