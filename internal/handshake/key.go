package handshake

import (
	"bytes"
	"hash"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/salsa20/salsa" //lint:ignore SA1019 box.Precompute would repeat the scalar multiplication that checks for zero

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// MaxKeys is the maximum number of keys of a ring, and of Hmacs of a packet, that are used (PROTOCOL.md H1).
const MaxKeys = 4

// A KeyID identifies the key under which a peer was verified. It does not reveal the key, but a weak key can be
// guessed from it, so it never leaves the process.
type KeyID [8]byte

// A Key is one pre-shared key, prepared for the handshake. It is immutable. The zero value is invalid.
type Key struct {
	k   [64]byte // BLAKE2b-512 of the key, with the label applied
	psk []byte   // the pre-shared key itself, for the responses of part 1
	id  KeyID
}

// NewKey derives a Key from psk, which may have any length. A label changes k, so nodes of clusters with different
// labels never complete a handshake (PROTOCOL.md C1, K1).
func NewKey(psk []byte, label string) Key {
	key := Key{k: blake2b.Sum512(psk), psk: bytes.Clone(psk)}
	if label != "" {
		key.k = key.sum("gwyh/1 label", []byte(label))
	}
	id := key.sum("gwyh/1 key id")
	copy(key.id[:], id[:])
	return key
}

// NewKeys derives a ring of pre-shared keys, each under every label in order, so a node also accepts nodes that use
// one of the later labels. The ring has at most MaxKeys entries for any number of labels, so a packet costs no more
// verifications than with one label.
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

// ID returns the id of the key.
func (k Key) ID() KeyID { return k.id }

// sum returns the BLAKE2b-512, keyed with k, of domain and parts.
func (k *Key) sum(domain string, parts ...[]byte) (out [64]byte) {
	h := k.mac()
	h.Write([]byte(domain))
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(out[:0])
	return out
}

// mac returns a new BLAKE2b-512 that is keyed with k.
func (k *Key) mac() hash.Hash {
	h, err := blake2b.New512(k.k[:])
	if err != nil {
		panic("handshake: a 64-byte key was refused: " + err.Error())
	}
	return h
}

// hmac returns the Hmac of part 1 over the message and the Hello's timestamp, as appendStamp encodes it
// (PROTOCOL.md C2).
func (k *Key) hmac(message, stamp []byte) [64]byte { return k.sum("", message, stamp) }

// response returns the response of part 1 to a challenge (PROTOCOL.md C3).
func (k *Key) response(challenge *[69]byte, ohai *[32]byte, id wire.HandshakeID) (out [64]byte) {
	h := unkeyed(blake2b.New512)
	h.Write(k.psk)
	h.Write(challenge[:])
	h.Write(ohai[:])
	h.Write(id[:])
	h.Sum(out[:0])
	return out
}

// okBoss returns the first response of part 4 to a bound Ohai, which proves the key and covers the second one, id
// (PROTOCOL.md H3).
func (k *Key) okBoss(ohai *[32]byte, id *[64]byte) [64]byte {
	return k.sum("gwyh/1 okboss", ohai[:], id[:])
}

// identify returns the second response of part 4 to a bound Ohai, which proves the node id of the initiator. shared is the
// secret of the Ohai's key and the key of that id.
func (k *Key) identify(ohai *[32]byte, claim *nodeid.Claim, shared *[32]byte) (id [64]byte) {
	proof := k.sum("gwyh/1 id", ohai[:], shared[:])
	copy(id[copy(id[:], claim[:]):], proof[:])
	return id
}

// A secrets is what only the two ends of a bound handshake know: the shared secrets of their keys for this handshake, of
// the initiator's and the key of the responder's id, and of the key of the initiator's id and the responder's.
type secrets [3][32]byte

// sessionKeys returns the keys of a bound session, with which the initiator and the responder seal, and wipes the
// secrets (PROTOCOL.md S1).
func (k *Key) sessionKeys(s *secrets, ohai *[32]byte) (initiator, responder [32]byte) {
	both := k.sum("gwyh/1 keys", s[0][:], s[1][:], s[2][:], ohai[:])
	clear(s[:])
	copy(initiator[:], both[:32])
	copy(responder[:], both[32:])
	clear(both[:])
	return initiator, responder
}

// boxKey returns the key for both directions of a legacy session, as NaCl's box precomputes it.
func boxKey(shared *[32]byte) (key [32]byte) {
	salsa.HSalsa20(&key, new([16]byte), shared, &salsa.Sigma)
	return key
}

// unkeyed returns a hash from one of blake2b's constructors, without a key.
func unkeyed(make func(key []byte) (hash.Hash, error)) hash.Hash {
	h, err := make(nil)
	if err != nil {
		panic("handshake: an unkeyed hash was refused: " + err.Error())
	}
	return h
}
