package handshake

import (
	"crypto/ecdh"
	"io"
)

// A Secret is one side's half of a key agreement, used once.
type Secret interface {
	// Agree is what both sides arrive at; false when it would be all zero (PROTOCOL.md 3 rule 8, 4 "Session").
	Agree(public *[32]byte) (shared [32]byte, ok bool)
}

// An Agreement makes a secret of 32 random bytes, and the public key that goes with it.
type Agreement func(random *[32]byte) (Secret, [32]byte)

// X25519 is the agreement of the protocol. crypto/ecdh computes the public key once, where
// x/crypto/curve25519 does so again at each use: half the cost of a handshake.
func X25519(random *[32]byte) (Secret, [32]byte) {
	key, err := ecdh.X25519().NewPrivateKey(random[:])
	if err != nil {
		panic("handshake: 32 bytes were refused as a key: " + err.Error())
	}
	return (*x25519)(key), [32]byte(key.PublicKey().Bytes())
}

type x25519 ecdh.PrivateKey

func (s *x25519) Agree(public *[32]byte) (shared [32]byte, ok bool) {
	p, err := ecdh.X25519().NewPublicKey(public[:])
	if err != nil {
		return shared, false
	}
	sum, err := (*ecdh.PrivateKey)(s).ECDH(p)
	if err != nil { // all zero
		return shared, false
	}
	copy(shared[:], sum)
	clear(sum)
	return shared, true
}

// NoAgreement is for simulations of large clusters, which leave the crypto out: whoever sees both public
// keys has the shared secret.
func NoAgreement(random *[32]byte) (Secret, [32]byte) { return plain(*random), *random }

type plain [32]byte

func (s plain) Agree(public *[32]byte) (shared [32]byte, ok bool) {
	for i := range s {
		shared[i] = s[i] ^ public[i]
	}
	return shared, shared != [32]byte{}
}

// An origin is where keys, ids, challenges and padding come from.
type origin struct {
	io.Reader
	agreement Agreement
}

func (o origin) secret() (Secret, [32]byte) {
	var random [32]byte
	fill(o, random[:])
	defer clear(random[:])
	return o.agreement(&random)
}
