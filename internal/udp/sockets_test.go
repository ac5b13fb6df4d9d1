package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func listenAll(t *testing.T, addrs ...netip.Addr) Sockets {
	t.Helper()
	s, err := ListenAll(addrs, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSocketsHaveOnePortAndAnswerFromWhereTheyWereAsked(t *testing.T) {
	s := listenAll(t, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"))
	if s[0].LocalAddr().Port() != s[1].LocalAddr().Port() {
		t.Fatal(s[0].LocalAddr(), s[1].LocalAddr())
	}
	c := listen(t, "udp4", "127.0.0.1:0")
	for _, own := range s {
		path := to(c.LocalAddr().Addr(), c)
		path.Local = own.LocalAddr().Addr()
		if err := s.Write(path, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, path := read(t, c); path.Remote != own.LocalAddr() {
			t.Fatal(path)
		}
	}
}

func TestSocketsThatReachNobodySaySo(t *testing.T) {
	s := listenAll(t, netip.MustParseAddr("127.0.0.1"))
	if err := s.Write(wire.Path{Remote: netip.MustParseAddrPort("[2001:db8::1]:1")}, []byte("x")); !errors.Is(err, syscall.EAFNOSUPPORT) || !strings.HasPrefix(err.Error(), "no socket reaches [2001:db8::1]:1: ") {
		t.Fatal(err)
	}
	if got := s.Source(netip.MustParseAddr("2001:db8::1")); got.IsValid() {
		t.Errorf("source %s", got)
	}
	if got := s.Source(netip.MustParseAddr("192.0.2.1")); got != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("source %s", got)
	}
}

func TestSocketThatCannotBeOpenedLeavesNoneOpen(t *testing.T) {
	c := listen(t, "udp4", "127.0.0.1:0")
	port := c.LocalAddr().Port()
	if s, err := ListenAll([]netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")}, port); s != nil || err == nil {
		t.Fatal(s, err)
	}
	if free, err := Listen("udp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port)); err != nil {
		t.Fatal(err)
	} else {
		_ = free.Close()
	}
}

func TestReadEachGoesOnAfterAnErrorAndEndsWithClose(t *testing.T) {
	c := listen(t, "udp4", "127.0.0.1:0")
	_ = c.SetReadDeadline(longAgo) // a permanent error
	var reading sync.WaitGroup
	got, errs := make(chan string, 1), make(chan error, 1000)
	reading.Go(func() {
		c.ReadEach(nil, func(path wire.Path, b []byte) {
			if path.Remote == c.LocalAddr() {
				got <- string(b)
			}
		}, func(err error) { errs <- err })
	})
	if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Time{})
	if err := c.Write(to(c.LocalAddr().Addr(), c), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if b := <-got; b != "x" {
		t.Fatalf("%q", b)
	}
	_ = c.Close()
	reading.Wait()
	for len(errs) > 0 {
		if err := <-errs; errors.Is(err, net.ErrClosed) {
			t.Fatal("the end was told as an error")
		}
	}
}

func TestPauseAfterAnErrorEndsWithTheReader(t *testing.T) {
	c := listen(t, "udp4", "127.0.0.1:0")
	_ = c.SetReadDeadline(longAgo)
	done := make(chan struct{})
	close(done)
	errs := 0
	c.ReadEach(done, nil, func(error) {
		if errs++; errs == 100 {
			_ = c.Close()
		}
	})
	if errs != 100 {
		t.Fatalf("%d errors", errs)
	}
}
