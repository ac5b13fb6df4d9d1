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

// cookieLife is how long a secret makes cookies. It is honored as long again, so a cookie is valid for two to four
// minutes.
const cookieLife = 2 * time.Minute

// A cookie shows that whoever sends it receives what is sent to its address. The zero value is none.
type cookie [wire.CookieSize]byte

// cookies makes and checks the cookies of a node (PROTOCOL.md E9). A cookie is a MAC over an address under a secret of the
// node, so that the node remembers nothing of those that it has sent. The idea is that of WireGuard (Donenfeld, NDSS
// 2017, section 5.3).
type cookies struct {
	secrets [2]hash.Hash // MACs under the present secret and the one before; nil while there is none
	drawn   time.Time    // when the present one was drawn
	rand    io.Reader    // of secrets
	addr    [18]byte     // scratch
	sum     cookie       // scratch
}

// make returns the cookie of an address.
func (c *cookies) make(now time.Time, from netip.AddrPort) cookie {
	c.renew(now)
	return c.mac(c.secrets[0], from)
}

// valid reports whether k is a cookie of the address.
func (c *cookies) valid(now time.Time, from netip.AddrPort, k cookie) bool {
	age := now.Sub(c.drawn)
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

// renew draws a secret if the present one is too old. If the clock went back, nobody knows how old it is.
func (c *cookies) renew(now time.Time) {
	age := now.Sub(c.drawn)
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
	c.secrets[0], c.drawn = mac, now
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
