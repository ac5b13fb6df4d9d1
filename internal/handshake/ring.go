package handshake

import (
	"crypto/subtle"
	"hash"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A ring contains the keys that a node accepts, primary first, prepared to verify Hmacs without allocation, because
// a flood of forged Hellos causes nothing but verifications. One Endpoint owns it.
type ring struct {
	keys  []Key       // at most MaxKeys
	macs  []hash.Hash // macs[i] is keyed with keys[i]
	sum   [64]byte    // scratch
	stamp [24]byte    // scratch
}

// PROTOCOL.md K2.
func newRing(keys []Key) ring {
	keys = keys[:min(len(keys), MaxKeys)]
	r := ring{keys: append([]Key(nil), keys...), macs: make([]hash.Hash, len(keys))}
	for i := range r.keys {
		r.macs[i] = r.keys[i].mac()
	}
	return r
}

// has reports whether the key is on the ring.
func (r *ring) has(id KeyID) bool {
	for i := range r.keys {
		if r.keys[i].id == id {
			return true
		}
	}
	return false
}

// find returns the key and the message of the first of the packet's first MaxKeys Hmacs that verifies under any key
// (PROTOCOL.md H1). Each verification is charged before it is made.
func (r *ring) find(h *wire.Handshake, a *allowance) (key *Key, message []byte, why Reason) {
	stamp := appendStamp(r.stamp[:0], h.Timestamp)
	for i := range min(len(h.Hmacs), MaxKeys) {
		for j := range r.keys {
			if !a.take() {
				return nil, nil, OverBudget
			}
			if r.verify(j, &h.Hmacs[i], stamp) {
				return &r.keys[j], h.Hmacs[i].Message, accepted
			}
		}
	}
	return nil, nil, BadKey
}

// verify checks one Hmac under key j, in constant time.
func (r *ring) verify(j int, h *wire.Hmac, stamp []byte) bool {
	mac := r.macs[j]
	mac.Reset()
	mac.Write(h.Message)
	mac.Write(stamp)
	return subtle.ConstantTimeCompare(mac.Sum(r.sum[:0]), h.Sum[:]) == 1
}
