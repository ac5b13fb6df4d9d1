package handshake

import (
	"crypto/subtle"
	"encoding/binary"
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
	secrets  [2]cookieSecret // the current one and the previous one
	count    int             // of secrets that are set, the current one first
	secretAt time.Time       // when the current secret was drawn
	rand     io.Reader       // source of secrets
}

// A cookieSecret is a key for cookies. A stranger can make a node compute MACs at any rate, so the MAC is the fastest
// that BLAKE2b offers: the hash of one block, which begins with the secret. The input always has the same length, and
// BLAKE2 hashes cannot be extended.
type cookieSecret [32]byte

// cookie returns the cookie of an address.
func (s *cookieSecret) cookie(from netip.AddrPort) cookie {
	var b [len(s) + 18]byte
	copy(b[:], s[:])
	ip := from.Addr().As16()
	copy(b[len(s):], ip[:])
	binary.BigEndian.PutUint16(b[len(s)+16:], from.Port())
	sum := blake2b.Sum256(b[:])
	return cookie(sum[:])
}

// make returns the cookie of an address.
func (c *cookies) make(now time.Time, from netip.AddrPort) cookie {
	c.renew(now)
	return c.secrets[0].cookie(from)
}

// valid reports whether k is a cookie of the address.
func (c *cookies) valid(now time.Time, from netip.AddrPort, k cookie) bool {
	age := now.Sub(c.secretAt)
	for i := range c.count {
		if age < 0 || age >= time.Duration(2-i)*cookieLife {
			continue
		}
		if want := c.secrets[i].cookie(from); subtle.ConstantTimeCompare(want[:], k[:]) == 1 {
			return true
		}
	}
	return false
}

// renew draws a new secret if the current one is too old, or if the clock went back, because then its age is unknown.
func (c *cookies) renew(now time.Time) {
	age := now.Sub(c.secretAt)
	if c.count > 0 && age >= 0 && age < cookieLife {
		return
	}
	c.secrets[1] = c.secrets[0] // which overwrites the one before
	c.count = min(c.count+1, len(c.secrets))
	if age < 0 || age >= 2*cookieLife {
		c.secrets[1], c.count = cookieSecret{}, 1
	}
	fill(c.rand, c.secrets[0][:])
	c.secretAt = now
}
