package udp

import (
	"bytes"
	"compress/lzw"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// closedPort returns an address whose port was free a moment ago.
func closedPort(t *testing.T, ip netip.Addr) netip.AddrPort {
	t.Helper()
	c := listen(t, "udp", netip.AddrPortFrom(ip, 0).String())
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return c.LocalAddr()
}

// knocking runs Knock until the test ends. It closes the channel when Knock has returned.
func knocking(t *testing.T, local netip.Addr, to netip.AddrPort, told func(error, time.Duration)) <-chan struct{} {
	t.Helper()
	ended := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	go func() {
		defer close(ended)
		Knock(ctx, local, to, told)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return ended
}

func TestClosedPortIsRefusedAgainAndAgain(t *testing.T) {
	for _, ip := range loopbacks() {
		for _, local := range []netip.Addr{ip, netip.IPv4Unspecified(), {}} {
			t.Run(ip.String()+" from "+local.String(), func(t *testing.T) {
				t.Parallel()
				times := make(chan time.Duration, 100)
				knocking(t, local, closedPort(t, ip), func(err error, since time.Duration) {
					if err != syscall.ECONNREFUSED {
						t.Errorf("told %v", err)
					}
					times <- since
				})
				if first := <-times; first != 0 {
					t.Errorf("the first refusal is told %v after the first", first)
				}
				for last := time.Duration(0); last < time.Second; {
					since := <-times
					if since <= last {
						t.Errorf("refused since %v, then since %v", last, since)
					}
					last = since
				}
			})
		}
	}
}

func TestKnockIsNoPacketOfGwyh(t *testing.T) {
	for _, ip := range loopbacks() {
		c := listen(t, "udp", netip.AddrPortFrom(ip, 0).String())
		knocking(t, ip, c.LocalAddr(), func(err error, _ time.Duration) { t.Errorf("told %v", err) })
		for range 2 {
			b, path := read(t, c)
			var p wire.Packet
			if err := wire.ParsePacket(&p, []byte(b)); err == nil {
				t.Errorf("%x is a packet: %+v", b, p)
			}
			if path.Remote.Addr() != ip || path.Remote == c.LocalAddr() {
				t.Errorf("from %v", path.Remote)
			}
		}
	}
}

func TestWhoAnswersAKnockIsNoNode(t *testing.T) {
	for name, x := range map[string]struct {
		answer func(ping string) string
		want   error
	}{
		"memberlist":                 {func(ping string) string { return "\x02\x82\xa5SeqNo" + ping[8:13] + "\xa7Payload\xc0" }, ErrMemberlist},
		"memberlist with a checksum": {func(ping string) string { return "\x0ccrc!\x02\x82\xa7Payload\xc0\xa5SeqNo" + ping[8:13] }, ErrMemberlist},
		"memberlist with news": {func(ping string) string {
			return "\x07\x02\x00\x1b\x00\x02\x02\x82\xa5SeqNo" + ping[8:13] + "\xa7Payload\xc0\x04\x80"
		}, ErrMemberlist},
		"memberlist, compressed": {func(ping string) string {
			var b bytes.Buffer
			w := lzw.NewWriter(&b, lzw.LSB, 8)
			_, _ = w.Write([]byte("\x07\x01\x00\x1b\x02\x82\xa5SeqNo" + ping[8:13] + strings.Repeat("\x04news", 99)))
			_ = w.Close()
			return "\x09\x82\xa4Algo\x00\xa3Buf\xda" + string(binary.BigEndian.AppendUint16(nil, uint16(b.Len()))) + b.String()
		}, ErrMemberlist},
		"a compressed message that is broken": {func(string) string { return "\x09\x82\xa4Algo\x00\xa3Buf\xda" }, ErrStranger},
		"another ack":                         {func(string) string { return "\x02\x82\xa5SeqNo\xce\x00\x00\x00\x01\xa7Payload\xc0" }, ErrStranger},
		"an echo":                             {func(ping string) string { return ping }, ErrStranger},
		"nothing in it":                       {func(string) string { return "" }, ErrStranger},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ip := loopbacks()[0]
			c := listen(t, "udp", netip.AddrPortFrom(ip, 0).String())
			heard := make(chan error, 1)
			ended := knocking(t, ip, c.LocalAddr(), func(err error, _ time.Duration) { heard <- err })
			b, path := read(t, c)
			if err := c.Write(wire.Path{Remote: path.Remote}, []byte(x.answer(b))); err != nil {
				t.Fatal(err)
			}
			if err := <-heard; !errors.Is(err, x.want) {
				t.Errorf("told %v, want %v", err, x.want)
			}
			<-ended
		})
	}
}

func TestNobodyIsRefusedOnceSomebodyListens(t *testing.T) {
	ip := loopbacks()[0]
	to := closedPort(t, ip)
	first, late := make(chan struct{}), atomic.Bool{}
	knocking(t, ip, to, func(_ error, since time.Duration) {
		if since == 0 {
			close(first)
		} else if late.Load() {
			t.Errorf("refused after %v", since)
		}
	})
	<-first
	c := listen(t, "udp", to.String())
	late.Store(true)
	for range 2 {
		read(t, c)
	}
}

func TestKnocksEndWithTheirContext(t *testing.T) {
	c := listen(t, "udp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Knock(ctx, netip.Addr{}, c.LocalAddr(), func(err error, _ time.Duration) { t.Errorf("told %v", err) })
	}()
	read(t, c) // Knock now waits for an answer
	cancel()
	<-ended
	Knock(ctx, netip.Addr{}, c.LocalAddr(), nil)
}

func TestErrorsThatMeanNoRouteAreDistinguishedFromThoseThatPass(t *testing.T) {
	for errno, no := range map[syscall.Errno]bool{
		syscall.ENETUNREACH: true, syscall.EHOSTUNREACH: true, syscall.EPERM: true, syscall.EACCES: true, syscall.EAFNOSUPPORT: true,
		syscall.ENOBUFS: false, syscall.EAGAIN: false, syscall.EMSGSIZE: false, syscall.ECONNREFUSED: false,
	} {
		got := NoRoute(fmt.Errorf("write: %w", os.NewSyscallError("sendmsg", errno)))
		switch {
		case no && got != errno:
			t.Errorf("%v: %v", errno, got)
		case !no && got != nil:
			t.Errorf("%v: %v", errno, got)
		}
	}
}
