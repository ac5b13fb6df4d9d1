package udp

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// inletOn returns an Inlet of strings with one socket, and the address of that socket.
func inletOn(t *testing.T, depth int) (*Inlet[string], netip.AddrPort) {
	t.Helper()
	s, err := ListenAll([]netip.Addr{netip.MustParseAddr("127.0.0.1")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	i := NewInlet[string](s, depth)
	t.Cleanup(func() { _ = i.Close() })
	return i, s[0].LocalAddr()
}

func packets(i *Inlet[string]) <-chan string {
	return i.Packets(func(_ wire.Path, b []byte) string { return string(b) }, func(*Conn, error) {})
}

func TestInletHasOneReader(t *testing.T) {
	i, _ := inletOn(t, 1)
	if !i.Claim() || i.Claim() {
		t.Error("not claimed exactly once")
	}
	read, at := inletOn(t, 1)
	ch := packets(read)
	if read.Claim() || packets(read) != ch {
		t.Error("there are two readers")
	}
	if err := i.sockets.Write(wire.Path{Remote: at}, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := <-ch; got != "hello" {
		t.Errorf("%q", got)
	}
}

func TestPacketsOfOthersGoWhereTheyAreDiverted(t *testing.T) {
	i, _ := inletOn(t, 1)
	if err := i.Put("to the channel"); err != nil {
		t.Fatal(err)
	}
	var got string
	i.Divert(func(p string) { got = p })
	if err := i.Put("diverted"); err != nil || got != "diverted" {
		t.Errorf("%q, %v", got, err)
	}
	if p := <-packets(i); p != "to the channel" {
		t.Errorf("%q", p)
	}
}

func TestCloseEndsReadersAndPut(t *testing.T) {
	i, _ := inletOn(t, 1)
	packets(i)
	waiting := make(chan error, 1)
	_ = i.Put("fills the channel")
	go func() { waiting <- i.Put("waits") }()
	for range 2 {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := i.Put("late"); !errors.Is(err, net.ErrClosed) || i.Claim() {
		t.Error(err)
	}
}

func TestPacketOfAConnectionIsReadToItsEnd(t *testing.T) {
	read := func(b []byte) ([]byte, error) {
		conn, other := net.Pipe()
		go func() {
			_ = other.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = other.Write(b)
			_ = other.Close()
		}()
		return ReadPacket(conn, "from=x", true)
	}
	if got, err := read([]byte("hello")); string(got) != "hello" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, n := range []int{0, MaxDatagram + 1} {
		if _, err := read(make([]byte, n)); err == nil || !strings.Contains(err.Error(), "from=x") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := ReadPacket(nil, "from=x", true); err == nil {
		t.Error("read nothing")
	}
}
