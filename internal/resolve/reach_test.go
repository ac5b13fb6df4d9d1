package resolve

import (
	"net"
	"net/netip"
	"testing"
)

func TestAddressesThatNoNodeCanHaveAreUnreachable(t *testing.T) {
	networks := []net.Addr{
		&net.IPNet{IP: net.IPv4(10, 0, 5, 7), Mask: net.CIDRMask(22, 32)},
		&net.IPNet{IP: net.IPv4(192, 0, 2, 4), Mask: net.CIDRMask(31, 32)}, // a point-to-point network of two addresses
		&net.IPNet{IP: net.IPv4(192, 0, 2, 9), Mask: net.CIDRMask(32, 32)},
		&net.IPNet{IP: net.ParseIP("fd00::1"), Mask: net.CIDRMask(64, 128)},
		&net.UnixAddr{Name: "not a network"},
	}
	for ip, want := range map[string]bool{
		"0.0.0.0": true, "::": true, "::ffff:0.0.0.0": true, "0.0.0.1": true, "255.255.255.255": true,
		"224.0.0.1": true, "239.1.2.3": true, "ff02::1": true, "10.0.7.255": true, "::ffff:10.0.7.255": true,
		"fe80::1": true, "fe80::1%eth0": true,
		"10.0.5.255": false, "10.0.4.0": false, "192.0.2.5": false, "192.0.2.9": false, "127.0.0.1": false, "::1": false,
		"fd00::ffff:ffff:ffff:ffff": false, "169.254.1.1": false, "203.0.113.255": false,
	} {
		if why := Unreachable(netip.MustParseAddr(ip), networks); (why != "") != want {
			t.Errorf("%s: %q", ip, why)
		}
	}
}
