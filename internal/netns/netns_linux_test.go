package netns

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

// narrow returns two namespaces with the addresses 10.9.0.1 and 10.9.0.2, connected by a path of the given MTU in
// bytes that silently drops larger packets.
func narrow(t *testing.T, mtu int) (a, b *Space) {
	a, b = New(t), New(t)
	middle := New(t)
	for i, s := range []*Space{a, b} {
		port := []string{"left", "right"}[i]
		s.Cable("eth0", middle, port)
		middle.MTU(port, mtu)
		s.Whole("eth0")
		s.Address("eth0", []string{"10.9.0.1/24", "10.9.0.2/24"}[i])
		s.Up("eth0")
	}
	middle.Bridge("switch", "left", "right")
	return a, b
}

func TestBridgeDropsWithoutAWordWhatIsLargerThanItsMTU(t *testing.T) {
	a, b := narrow(t, 1280)
	in := listen(t, b, "10.9.0.2:7000")
	out := dial(t, a, "10.9.0.2:7000")
	for _, size := range []int{1400, 1300, 1252} {
		if _, err := out.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	_ = in.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, _, err := in.ReadFrom(make([]byte, 2000)); err != nil || n != 1252 {
		t.Errorf("the first datagram that came has %d bytes, %v; want 1252", n, err)
	}
}

func TestAddressMayGo(t *testing.T) {
	a := New(t)
	a.Address("lo", "10.9.1.1/32")
	listen(t, a, "10.9.1.1:7000")
	a.RemoveAddress("lo", "10.9.1.1/32")
	err := a.Do(func() error {
		c, err := net.ListenPacket("udp", "10.9.1.1:7001")
		if err == nil {
			_ = c.Close()
		}
		return err
	})
	if !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("listening at an address that went: %v", err)
	}
}

func listen(t *testing.T, s *Space, addr string) (c net.PacketConn) {
	t.Helper()
	inside(t, s, func() (err error) { c, err = net.ListenPacket("udp", addr); return err })
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func dial(t *testing.T, s *Space, addr string) (c net.Conn) {
	t.Helper()
	inside(t, s, func() (err error) { c, err = net.Dial("udp", addr); return err })
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func inside(t *testing.T, s *Space, f func() error) {
	t.Helper()
	if err := s.Do(f); err != nil {
		t.Fatal(err)
	}
}
