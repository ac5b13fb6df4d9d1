package udp

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestDatagramsTravelWholeOnlyIfThatIsRequested(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		c, err := Listen("udp", netip.MustParseAddrPort(addr))
		if err != nil {
			t.Logf("no socket at %s: %v", addr, err)
			continue
		}
		mode := func() (v4, v6 int) {
			withFD(c.c, func(fd int) {
				v4, _ = unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER)
				v6, _ = unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER)
			})
			return v4, v6
		}
		c.Whole(true)
		switch v4, v6 := mode(); {
		case c.v4 && v4 != unix.IP_PMTUDISC_PROBE:
			t.Errorf("%s: modes %d, %d", addr, v4, v6)
		case c.v6 && v6 != unix.IPV6_PMTUDISC_PROBE:
			t.Errorf("%s: modes %d, %d", addr, v4, v6)
		}
		if err := c.Write(wire.Path{Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 9)}, make([]byte, 8952)); c.v4 && err != nil && !isStale(err) {
			t.Errorf("%s: %v", addr, err)
		}
		c.Whole(false)
		switch v4, v6 := mode(); {
		case c.v4 && v4 == unix.IP_PMTUDISC_PROBE:
			t.Errorf("%s: modes %d, %d afterwards", addr, v4, v6)
		case c.v6 && v6 == unix.IPV6_PMTUDISC_PROBE:
			t.Errorf("%s: modes %d, %d afterwards", addr, v4, v6)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
