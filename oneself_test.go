package gwyh

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/udp"
)

// echo returns the datagrams that arrive at a loopback socket to their senders, until the test ends.
func echo(t *testing.T) net.Addr {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(b[:n], from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return conn.LocalAddr()
}

func TestUDPEchoIsNoNode(t *testing.T) {
	t.Parallel()
	at := echo(t)
	c := testConfig("a", nil)
	c.TCPTimeout = time.Second
	m := create(t, c)
	if n, err := m.Join([]string{at.String()}); n != 0 || err == nil || !errors.Is(err, udp.ErrStranger) {
		t.Errorf("Join = %d, %v", n, err)
	}
	for _, name := range []string{"a", "b"} {
		if rtt, err := m.Ping(name, at); err == nil {
			t.Errorf("Ping of %s = %v", name, rtt)
		}
	}
}

func TestOwnAddressesOfASocketOnAllAddressesAreOneself(t *testing.T) {
	c := testConfig("a", nil)
	c.BindAddr, c.AdvertiseAddr, c.TCPTimeout = "0.0.0.0", "192.0.2.1", 20*time.Second
	m := create(t, c)
	for _, host := range loopbackHosts() {
		at := &net.UDPAddr{IP: net.ParseIP(host), Port: int(m.LocalNode().Port)}
		if n, err := m.Join([]string{at.String()}); n != 1 || err != nil {
			t.Errorf("Join of %s = %d, %v", at, n, err)
		}
		if _, err := m.Ping("a", at); err != nil {
			t.Errorf("Ping at %s: %v", at, err)
		}
		if rtt, err := m.Ping("b", at); err == nil {
			t.Errorf("Ping of another name at %s = %v", at, rtt)
		}
	}
}

func TestPacketsThatATransportSendsBackAreNoNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		mirror := network.NewTransport("mirror")
		c := testConfig("a", nil)
		c.Transport = network.NewTransport("a")
		m := create(t, c)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case p := <-mirror.PacketCh():
					_, _ = mirror.WriteTo(p.Buf, p.From.String())
				case <-t.Context().Done():
					return
				}
			}
		}()
		at := mirror.addr
		if n, err := m.Join([]string{at.String()}); n != 0 || err == nil {
			t.Errorf("Join = %d, %v", n, err)
		}
		if rtt, err := m.Ping("a", at); err == nil {
			t.Errorf("Ping = %v", rtt)
		}
		if n, err := m.Join([]string{m.LocalNode().Address()}); n != 1 || err != nil {
			t.Errorf("Join of itself = %d, %v", n, err)
		}
		if got := fmt.Sprint(names(m.Members())); got != "[a]" {
			t.Errorf("members %s", got)
		}
	})
}
