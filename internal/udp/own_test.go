package udp

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
)

func TestOwnAddressesAreThoseThatTheSocketsAreBoundTo(t *testing.T) {
	for _, c := range []struct {
		bound    string
		own, not []string
	}{
		{"127.0.0.1", []string{"127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"}, []string{"127.0.0.2", "::1", "::", "203.0.113.7"}},
		{"0.0.0.0", []string{"127.0.0.1", "127.0.1.1", "0.0.0.0"}, []string{"203.0.113.7", "2001:db8::7", "224.0.0.1"}},
	} {
		s, err := ListenAll([]netip.Addr{netip.MustParseAddr(c.bound)}, 0)
		if err != nil {
			t.Fatal(err)
		}
		own, port := NewOwn(s), s[0].LocalAddr().Port()
		for i, list := range [][]string{c.own, c.not} {
			for _, a := range list {
				if addr := netip.MustParseAddr(a); own.Has(netip.AddrPortFrom(addr, port)) != (i == 0) || own.Has(netip.AddrPortFrom(addr, port+1)) {
					t.Errorf("bound to %s: %s", c.bound, a)
				}
			}
		}
		_ = s.Close()
	}
}

func TestAddressesOfTheMachineAreOwnOnesOfASocketOnAll(t *testing.T) {
	s, err := ListenAll([]netip.Addr{netip.IPv4Unspecified()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	own := NewOwn(s)
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		ip, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if at := netip.AddrPortFrom(ip, s[0].LocalAddr().Port()); !own.Has(at) && (ip.Unmap().Is4() || s[0].v6) {
			t.Errorf("%s is not, of %s", at, fmt.Sprint(all))
		}
	}
}
