package handshake

import (
	"bytes"
	"hash"

	"github.com/gwyh-go/gwyh/internal/wire"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/salsa20/salsa" //lint:ignore SA1019 box.Precompute would repeat the scalar multiplication that checks for zero
)

// MaxKeys is how many keys of a ring, and how many Hmacs of a packet, are ever looked at
// (PROTOCOL.md 4, "Handshake economy").
const MaxKeys = 4

// A KeyID tells which key vouched for a peer, without being the key. It still lets a weak key be
// guessed, so it stays inside the process.
type KeyID [8]byte

// A Key is one pre-shared key as the handshake needs it. Immutable; the zero value is no key.
type Key struct {
	k   [64]byte // BLAKE2b-512 of the key, with the label applied
	psk []byte   // the key itself, for the responses of part 1
	id  KeyID
}

// NewKey derives what the handshake needs of psk, which may have any length. With a label, k is
// hashed once more, so that clusters of different labels never shake hands (PROTOCOL.md 4, "Label").
func NewKey(psk []byte, label string) Key {
	key := Key{k: blake2b.Sum512(psk), psk: bytes.Clone(psk)}
	if label != "" {
		key.k = key.sum("gwyh/1 label", []byte(label))
	}
	id := key.sum("gwyh/1 key id")
	copy(key.id[:], id[:])
	return key
}

// NewKeys derives a ring of pre-shared keys, each under every label in turn, so that a node also shakes hands
// with nodes of the labels after the first. The ring has at most MaxKeys entries, whatever the number of
// labels, so that a packet costs no more verifications (PROTOCOL.md 4, "Label").
func NewKeys(shared [][]byte, labels ...string) (keys []Key) {
	for _, psk := range shared {
		for _, l := range labels {
			if len(keys) < MaxKeys {
				keys = append(keys, NewKey(psk, l))
			}
		}
	}
	return keys
}

// ID names the key.
func (k Key) ID() KeyID { return k.id }

// sum is BLAKE2b-512 keyed with k over domain and parts.
func (k *Key) sum(domain string, parts ...[]byte) (out [64]byte) {
	h := k.mac()
	h.Write([]byte(domain))
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(out[:0])
	return out
}

// mac is a BLAKE2b-512 keyed with k.
func (k *Key) mac() hash.Hash {
	h, err := blake2b.New512(k.k[:])
	if err != nil {
		panic("handshake: a 64-byte key was refused: " + err.Error())
	}
	return h
}

// hmac is part 1's: over the message and the Hello's timestamp as appendStamp writes it.
func (k *Key) hmac(message, stamp []byte) [64]byte { return k.sum("", message, stamp) }

// response is part 1's answer to a challenge: unkeyed, over the key itself.
func (k *Key) response(challenge *[69]byte, ohai *[32]byte, id wire.HandshakeID) (out [64]byte) {
	h := unkeyed(blake2b.New512)
	h.Write(k.psk)
	h.Write(challenge[:])
	h.Write(ohai[:])
	h.Write(id[:])
	h.Sum(out[:0])
	return out
}

// okBoss is part 4's answer to a bound Ohai.
func (k *Key) okBoss(ohai *[32]byte) [64]byte { return k.sum("gwyh/1 okboss", ohai[:]) }

// sessionKeys are the keys of a bound session: the first seals from the initiator, the second from the responder.
func (k *Key) sessionKeys(shared, ohai *[32]byte) (initiator, responder [32]byte) {
	both := k.sum("gwyh/1 keys", shared[:], ohai[:])
	copy(initiator[:], both[:32])
	copy(responder[:], both[32:])
	clear(both[:])
	return initiator, responder
}

// boxKey is the one key of a legacy session, what NaCl's box computes beforehand.
func boxKey(shared *[32]byte) (key [32]byte) {
	salsa.HSalsa20(&key, new([16]byte), shared, &salsa.Sigma)
	return key
}

// unkeyed is a hash by one of blake2b's constructors, without a key.
func unkeyed(make func(key []byte) (hash.Hash, error)) hash.Hash {
	h, err := make(nil)
	if err != nil {
		panic("handshake: an unkeyed hash was refused: " + err.Error())
	}
	return h
}
