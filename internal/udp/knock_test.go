package udp

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// closedPort is a port of an address that was free a moment ago.
func closedPort(t *testing.T, ip netip.Addr) netip.AddrPort {
	t.Helper()
	c := listen(t, "udp", netip.AddrPortFrom(ip, 0).String())
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return c.LocalAddr()
}

// knocking knocks until the test ends. The channel is closed when Knock has returned.
func knocking(t *testing.T, local netip.Addr, to netip.AddrPort, refused func(time.Duration)) <-chan struct{} {
	t.Helper()
	ended := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	go func() {
		defer close(ended)
		Knock(ctx, local, to, refused)
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
				knocking(t, local, closedPort(t, ip), func(since time.Duration) { times <- since })
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

func TestWhoListensGetsPacketsThatTheyNeedNotUnderstand(t *testing.T) {
	for _, ip := range loopbacks() {
		c := listen(t, "udp", netip.AddrPortFrom(ip, 0).String())
		ended := knocking(t, ip, c.LocalAddr(), func(time.Duration) { t.Error("refused") })
		var senders [2]wire.NodeID
		for i := range senders {
			b, path := read(t, c)
			var p wire.Packet
			if err := wire.ParsePacket(&p, []byte(b)); err != nil || p.Kind != wire.PacketBox || p.Sender.IsGo() {
				t.Errorf("%x: %v, %+v", b, err, p)
			}
			senders[i] = p.Sender
			if path.Remote.Addr() != ip || path.Remote == c.LocalAddr() {
				t.Errorf("from %v", path.Remote)
			}
			if i == 1 {
				if err := c.Write(wire.Path{Remote: path.Remote}, []byte("come in")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if senders[0] != senders[1] {
			t.Error("each knock has a sender of its own, which a node may keep a count for")
		}
		<-ended // by the answer
	}
}

func TestNobodyIsRefusedOnceSomebodyListens(t *testing.T) {
	ip := loopbacks()[0]
	to := closedPort(t, ip)
	first, late := make(chan struct{}), atomic.Bool{}
	knocking(t, ip, to, func(since time.Duration) {
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
		Knock(ctx, netip.Addr{}, c.LocalAddr(), func(time.Duration) { t.Error("refused") })
	}()
	read(t, c) // it waits for an answer now
	cancel()
	<-ended
	Knock(ctx, netip.Addr{}, c.LocalAddr(), nil)
}
