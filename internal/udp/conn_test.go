package udp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func listen(t testing.TB, network, addr string) *Conn {
	t.Helper()
	c, err := Listen(network, netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second)) // a lost datagram fails the test instead of hanging it
	return c
}

// loopbacks returns the loopback addresses of this machine, which may have no IPv6.
func loopbacks() []netip.Addr {
	all := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	if c, err := Listen("udp6", netip.MustParseAddrPort("[::1]:0")); err == nil {
		_ = c.Close()
		all = append(all, netip.MustParseAddr("::1"))
	}
	return all
}

func to(remote netip.Addr, c *Conn) wire.Path {
	return wire.Path{Remote: netip.AddrPortFrom(remote, c.LocalAddr().Port())}
}

func read(t *testing.T, c *Conn) (string, wire.Path) {
	t.Helper()
	b := make([]byte, MaxDatagram)
	n, path, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), path
}

func TestDatagramsGoBothWaysBetweenSpecificAddresses(t *testing.T) {
	for _, lo := range loopbacks() {
		a := listen(t, "udp", netip.AddrPortFrom(lo, 0).String())
		b := listen(t, "udp", netip.AddrPortFrom(lo, 0).String())
		if err := a.Write(to(lo, b), []byte("ping")); err != nil {
			t.Fatal(err)
		}
		got, path := read(t, b)
		if got != "ping" || path.Remote != a.LocalAddr() || path.Local != lo {
			t.Fatalf("%q by %+v", got, path)
		}
		if err := b.Write(path, []byte("pong")); err != nil {
			t.Fatal(err)
		}
		if got, path := read(t, a); got != "pong" || path.Remote != b.LocalAddr() {
			t.Fatalf("%q by %+v", got, path)
		}
	}
}

func TestSocketOnAllAddressesServesBothFamilies(t *testing.T) {
	unspecified := []string{"0.0.0.0:0", "[::]:0"}
	for _, any := range unspecified[:len(loopbacks())] {
		all := listen(t, "udp", any)
		for _, lo := range loopbacks() {
			c := listen(t, "udp", netip.AddrPortFrom(lo, 0).String())
			if !all.Reaches(lo) {
				t.Fatalf("%s does not reach %s", any, lo)
			}
			if err := c.Write(to(lo, all), []byte("ping")); err != nil {
				t.Fatal(err)
			}
			_, path := read(t, all)
			if path.Remote != c.LocalAddr() {
				t.Fatalf("from %s, not %s", path.Remote, c.LocalAddr())
			}
			if err := all.Write(path, []byte("pong")); err != nil {
				t.Fatal(err)
			}
			if _, path := read(t, c); path.Remote != netip.AddrPortFrom(lo, all.LocalAddr().Port()) {
				t.Fatalf("answered from %s", path.Remote)
			}
		}
	}
}

func TestOneFamilyReachesOnlyItself(t *testing.T) {
	v4, v6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	c := listen(t, "udp4", "0.0.0.0:0")
	if !c.Reaches(v4) || c.Reaches(v6) {
		t.Fatal("udp4")
	}
	if len(loopbacks()) == 2 {
		c = listen(t, "udp6", "[::]:0")
		if c.Reaches(v4) || !c.Reaches(v6) {
			t.Fatal("udp6")
		}
	}
}

func TestIPv4InItsIPv6FormIsWrittenAsIPv4(t *testing.T) {
	a, b := listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0")
	if err := a.Write(to(netip.MustParseAddr("::ffff:127.0.0.1"), b), []byte("x")); err != nil {
		t.Fatal(err)
	}
	read(t, b)
}

func TestLargeAndEmptyDatagramsPass(t *testing.T) {
	a, b := listen(t, "udp", "127.0.0.1:0"), listen(t, "udp", "127.0.0.1:0")
	for _, n := range []int{0, 1, 1400, 60000, MaxDatagram} {
		want := bytes.Repeat([]byte{7}, n)
		if err := a.Write(to(a.LocalAddr().Addr(), b), want); err != nil {
			t.Fatal(n, err)
		}
		if got, _ := read(t, b); got != string(want) {
			t.Fatalf("%d bytes of %d", len(got), n)
		}
	}
	if err := a.Write(to(a.LocalAddr().Addr(), b), make([]byte, MaxDatagram+1)); err == nil {
		t.Fatal("a datagram above the limit was taken")
	}
}

func TestPortInUseNamesTheAddress(t *testing.T) {
	a := listen(t, "udp", "127.0.0.1:0")
	_, err := Listen("udp", a.LocalAddr())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), a.LocalAddr().String()) {
		t.Fatal(err)
	}
}

func TestReadEndsWithDeadlineAndWithClose(t *testing.T) {
	c := listen(t, "udp", "127.0.0.1:0")
	_ = c.SetReadDeadline(time.Unix(1, 0))
	if _, _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Time{})
	ended := make(chan error)
	go func() {
		_, _, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	_ = c.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if recv, send := c.Buffers(); recv != 0 || send != 0 {
		t.Fatal("buffers of a closed socket")
	}
}

func TestDatagramToNobodyDoesNotDisturbReading(t *testing.T) {
	a, b, gone := listen(t, "udp", "127.0.0.1:0"), listen(t, "udp", "127.0.0.1:0"), listen(t, "udp", "127.0.0.1:0")
	nobody := to(a.LocalAddr().Addr(), gone)
	_ = gone.Close()
	for range 3 {
		_ = a.Write(nobody, []byte("x"))
	}
	if err := b.Write(to(a.LocalAddr().Addr(), a), []byte("y")); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, a); got != "y" {
		t.Fatal(got)
	}
}

func TestReadAndWriteDoNotAllocate(t *testing.T) {
	for _, network := range []string{"udp4", "udp"} {
		a := listen(t, network, "0.0.0.0:0")
		b := make([]byte, 1500)
		self := to(netip.MustParseAddr("127.0.0.1"), a)
		self.Local = self.Remote.Addr()
		n := testing.AllocsPerRun(100, func() {
			if err := a.Write(self, b[:256]); err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.Read(b); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", network, n)
		}
	}
}

func BenchmarkHop(b *testing.B) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		b.Run(strings.TrimSuffix(addr, ":0"), func(b *testing.B) {
			c := listen(b, "udp", addr)
			buf := make([]byte, 1500)
			self := to(netip.MustParseAddr("127.0.0.1"), c)
			self.Local = self.Remote.Addr()
			_ = c.SetReadDeadline(time.Time{})
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(self, buf[:256]); err != nil {
					b.Fatal(err)
				}
				if _, _, err := c.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
