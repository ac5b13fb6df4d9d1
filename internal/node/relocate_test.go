package node

import (
	"net"
	"net/netip"
	"testing"
)

func TestAddressOfAnInterfaceIsKnown(t *testing.T) {
	addrs := []net.Addr{&net.IPNet{IP: net.IPv4(10, 0, 0, 7), Mask: net.CIDRMask(8, 32)}, &net.IPNet{IP: net.ParseIP("fd00::7"), Mask: net.CIDRMask(64, 128)}}
	for a, want := range map[string]bool{"10.0.0.7": true, "::ffff:10.0.0.7": true, "fd00::7": true, "10.0.0.8": false, "fd00::8": false} {
		if got := amongAddrs(netip.MustParseAddr(a), addrs); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
}
