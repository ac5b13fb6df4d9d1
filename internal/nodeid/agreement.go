package nodeid

import "crypto/ecdh"

// A PrivateKey is the private half of a key agreement.
type PrivateKey interface {
	// Agree returns the shared secret. ok is false if the secret would be all zeros (PROTOCOL.md L8, S1).
	Agree(public *[32]byte) (shared [32]byte, ok bool)
}

// An Agreement derives a private key and its public key from 32 random bytes.
type Agreement func(random *[32]byte) (PrivateKey, [32]byte)

// X25519 is the protocol's key agreement. crypto/ecdh computes the public key once, while x/crypto/curve25519
// computes it at each use, which would double the cost of a handshake.
func X25519(random *[32]byte) (PrivateKey, [32]byte) {
	key, err := ecdh.X25519().NewPrivateKey(random[:])
	if err != nil {
		panic("nodeid: 32 bytes were refused as a key: " + err.Error())
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
	if err != nil { // the shared secret is all zeros
		return shared, false
	}
	copy(shared[:], sum)
	clear(sum)
	return shared, true
}

// NoAgreement is for simulations of large clusters, which omit cryptography. Anyone who sees both public keys can
// compute the shared secret.
func NoAgreement(random *[32]byte) (PrivateKey, [32]byte) { return plain(*random), *random }

type plain [32]byte

func (s plain) Agree(public *[32]byte) (shared [32]byte, ok bool) {
	for i := range s {
		shared[i] = s[i] ^ public[i]
	}
	return shared, shared != [32]byte{}
}
