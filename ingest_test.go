package gwyh

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/udp"
)

// ingest passes one end of a pipe, whose other end writes b, to tr.
func ingest(tr IngestionAwareTransport, b []byte, from net.Addr, at time.Time) (err error, closed bool) {
	conn, other := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = other.Write(b)
		_ = other.Close()
	})
	err = tr.IngestPacket(conn, from, at, true)
	_, readErr := conn.Read(make([]byte, 1))
	wg.Wait()
	return err, errors.Is(readErr, io.ErrClosedPipe)
}

func TestIngestedPacketsComeThroughTheChannel(t *testing.T) {
	from := &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 5}
	at := time.Unix(7, 0)
	a := newNetTransport(t, "127.0.0.1")
	a.inlet.Claim()
	for _, tr := range []interface {
		Transport
		IngestionAwareTransport
	}{a, new(MockNetwork).NewTransport("a")} {
		if err, closed := ingest(tr, []byte("hello"), from, at); err != nil || !closed {
			t.Fatal(err, closed)
		}
		if p := receivePacket(t, tr); string(p.Buf) != "hello" || p.From != from || !p.Timestamp.Equal(at) {
			t.Fatalf("%+v", p)
		}
		for _, n := range []int{0, udp.MaxDatagram + 1} {
			if err, closed := ingest(tr, make([]byte, n), from, at); err == nil || !closed || !strings.Contains(err.Error(), "from=1.2.3.4:5") {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
	_ = a.Shutdown()
	for range netPacketDepth + 1 {
		if err, _ := ingest(a, []byte("x"), from, at); err != nil {
			if !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("takes packets for ever after Shutdown")
}

// soleNode returns a node on its own NetTransport.
func soleNode(t *testing.T, addrs ...string) (*NetTransport, *Memberlist) {
	t.Helper()
	tr := newNetTransport(t, addrs...)
	c := testConfig("a", &recorder{})
	c.Transport = tr
	return tr, create(t, c)
}

func TestNodeTakesIngestedPacketsWhetherItReadsItselfOrNot(t *testing.T) {
	for _, addrs := range [][]string{{"127.0.0.1"}, {"127.0.0.1", "127.0.0.2"}} {
		tr, m := soleNode(t, addrs...)
		const packets = 50 // more than the queue holds
		for range packets {
			if err, _ := ingest(tr, []byte("no packet of gwyh"), &net.UDPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 5}, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		for late := time.Now().Add(10 * time.Second); m.Stats().DatagramsReceived < packets; {
			if time.Now().After(late) {
				t.Fatalf("%v: %d taken of %d", addrs, m.Stats().DatagramsReceived, packets)
			}
		}
	}
}

func TestNodeWhoseTransportWasShutDownStillAnswers(t *testing.T) {
	for _, addrs := range [][]string{{"127.0.0.1"}, {"127.0.0.1", "127.0.0.2"}} {
		tr, m := soleNode(t, addrs...)
		if err := tr.Shutdown(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if got := m.Stats().Members; got != 1 {
				t.Fatalf("%v: %d members", addrs, got)
			}
		}
		if err := m.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
}
