package udp

import (
	"net/netip"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// On Linux, all of 127/8 is local, so the machine is multi-homed for the test.
func TestAnswerLeavesFromTheAddressTheDatagramCameTo(t *testing.T) {
	second := netip.MustParseAddr("127.0.0.2")
	for _, network := range []string{"udp4", "udp"} {
		all, c := listen(t, network, "0.0.0.0:0"), listen(t, "udp4", "127.0.0.1:0")
		if err := c.Write(to(second, all), []byte("ping")); err != nil {
			t.Fatal(err)
		}
		_, path := read(t, all)
		if path.Local != second {
			t.Fatalf("%s: came to %s", network, path.Local)
		}
		if err := all.Write(path, []byte("pong")); err != nil {
			t.Fatal(err)
		}
		if _, path := read(t, c); path.Remote != netip.AddrPortFrom(second, all.LocalAddr().Port()) {
			t.Fatalf("%s: answered from %s", network, path.Remote)
		}
	}
}

func TestLostSourceAddressDoesNotLoseTheDatagram(t *testing.T) {
	for i, lo := range loopbacks() {
		lost := []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")}[i]
		all, c := listen(t, "udp", "0.0.0.0:0"), listen(t, "udp", netip.AddrPortFrom(lo, 0).String())
		if err := all.Write(wire.Path{Remote: c.LocalAddr(), Local: lost}, []byte("x")); err != nil {
			t.Fatal(err)
		}
		read(t, c)
	}
}

func TestSystemReportsTheBuffersItGranted(t *testing.T) {
	receive, send := listen(t, "udp", "127.0.0.1:0").Buffers()
	switch {
	case receive <= 0:
		t.Fatalf("receive is %v, want more than 0", receive)
	case receive > ReceiveBuffer:
		t.Fatalf("receive is %v, want at most %v", receive, ReceiveBuffer)
	case send <= 0:
		t.Fatalf("send is %v, want more than 0", send)
	case send > SendBuffer:
		t.Fatalf("send is %v, want at most %v", send, SendBuffer)
	}
}

func TestControlMessageReadsBackAsWritten(t *testing.T) {
	for _, s := range []string{"192.0.2.1", "2001:db8::1"} {
		a := netip.MustParseAddr(s)
		oob := appendSource(nil, a)
		if got := parseLocal(oob); got != a {
			t.Errorf("%s read as %s", a, got)
		}
		for n := range len(oob) - 4 { // the unread end: destination address (IPv4) or interface index (IPv6)
			if got := parseLocal(oob[:n]); got.IsValid() {
				t.Errorf("%d bytes of the message of %s read as %s", n, a, got)
			}
		}
	}
	if got := parseLocal(appendSource(nil, netip.MustParseAddr("ff02::1"))); got.IsValid() {
		t.Errorf("a group is no source: %s", got)
	}
}
