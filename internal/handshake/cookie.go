package handshake

import (
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"io"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
	"golang.org/x/crypto/blake2b"
)

// cookieLife is how long a secret makes cookies. A secret is accepted for the same time again, so a cookie is valid
// for two to four minutes.
const cookieLife = 2 * time.Minute

// A cookie proves that its sender receives packets that are sent to its address. The zero value means none.
type cookie [wire.CookieSize]byte

// cookies makes and checks the cookies of a node (PROTOCOL.md E9). A cookie is a MAC of an address under a secret
// of the node, so the node keeps no state for the cookies that it sends. The idea comes from WireGuard (Donenfeld,
// NDSS 2017, section 5.3).
type cookies struct {
	secrets  [2]hash.Hash // MACs under the current secret and the previous one; nil until they exist
	secretAt time.Time    // when the current secret was drawn
	rand     io.Reader    // source of secrets
	addr     [18]byte     // scratch
	sum      cookie       // scratch
}

// make returns the cookie of an address.
func (c *cookies) make(now time.Time, from netip.AddrPort) cookie {
	c.renew(now)
	return c.mac(c.secrets[0], from)
}

// valid reports whether k is a cookie of the address.
func (c *cookies) valid(now time.Time, from netip.AddrPort, k cookie) bool {
	age := now.Sub(c.secretAt)
	for i, secret := range c.secrets {
		if secret == nil || age < 0 || age >= time.Duration(2-i)*cookieLife {
			continue
		}
		if want := c.mac(secret, from); subtle.ConstantTimeCompare(want[:], k[:]) == 1 {
			return true
		}
	}
	return false
}

// renew draws a new secret if the current one is too old, or if the clock went back, because then its age is unknown.
func (c *cookies) renew(now time.Time) {
	age := now.Sub(c.secretAt)
	if c.secrets[0] != nil && age >= 0 && age < cookieLife {
		return
	}
	c.secrets[1] = c.secrets[0]
	if age < 0 || age >= 2*cookieLife {
		c.secrets[1] = nil
	}
	var secret [32]byte
	fill(c.rand, secret[:])
	mac, err := blake2b.New(wire.CookieSize, secret[:])
	if err != nil {
		panic("handshake: a secret for cookies was refused: " + err.Error())
	}
	clear(secret[:])
	c.secrets[0], c.secretAt = mac, now
}

func (c *cookies) mac(secret hash.Hash, from netip.AddrPort) cookie {
	ip := from.Addr().As16()
	copy(c.addr[:], ip[:])
	binary.BigEndian.PutUint16(c.addr[16:], from.Port())
	secret.Reset()
	secret.Write(c.addr[:])
	secret.Sum(c.sum[:0])
	return c.sum
}
