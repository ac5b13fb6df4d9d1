package udp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func reader(t testing.TB, network, addr string) (*Conn, *Reader) {
	t.Helper()
	c := listen(t, network, addr)
	r := NewReader(c)
	if r == nil && runtime.GOOS == "linux" {
		t.Fatal("no Reader")
	}
	if r == nil {
		t.Skip("no Reader on this system")
	}
	return c, r
}

// soon returns a deadline; a test that reaches it has failed.
func soon() time.Time { return time.Now().Add(10 * time.Second) }

func TestReaderReturnsDatagramsAndTheirPaths(t *testing.T) {
	for _, lo := range loopbacks() {
		for _, addr := range []netip.Addr{lo, netip.IPv6Unspecified()} {
			if addr != lo && len(loopbacks()) < 2 {
				continue
			}
			c, r := reader(t, "udp", netip.AddrPortFrom(addr, 0).String())
			from := listen(t, "udp", netip.AddrPortFrom(lo, 0).String())
			sent := []string{"", "x", string(bytes.Repeat([]byte{7}, MaxDatagram))}
			for _, s := range sent {
				if err := from.Write(to(lo, c), []byte(s)); err != nil {
					t.Fatal(err)
				}
			}
			var got []wire.Datagram
			for len(got) < len(sent) {
				d, err := r.Wait(soon())
				if err != nil || len(d) == 0 {
					t.Fatal(d, err)
				}
				got = append(got, d...)
			}
			for i, d := range got {
				if string(d.B) != sent[i] || d.Remote != from.LocalAddr() || d.Local != lo {
					t.Fatalf("%d bytes by %v, want %d by %v and %v", len(d.B), d.Path, len(sent[i]), from.LocalAddr(), lo)
				}
			}
		}
	}
}

func TestReaderTakesManyDatagramsAtOnceAndSaysWhenThereMayBeMore(t *testing.T) {
	c, r := reader(t, "udp4", "127.0.0.1:0")
	from := listen(t, "udp4", "127.0.0.1:0")
	const sent = 20
	for i := range sent {
		if err := from.Write(to(from.LocalAddr().Addr(), c), []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Wait(soon())
	if len(got) < 2 {
		t.Fatalf("%d datagrams at once", len(got))
	}
	for n := 0; len(got) > 0; got, err = r.More() {
		for _, d := range got {
			if int(d.B[0]) != n || err != nil {
				t.Fatal(d.B, n, err)
			}
			if n++; n == sent {
				return
			}
		}
	}
	t.Fatal("some are missing")
}

func TestReaderWaitsUntilItsDeadline(t *testing.T) {
	c, r := reader(t, "udp4", "127.0.0.1:0")
	for range 3 {
		due := time.Now().Add(5 * time.Millisecond)
		if got, err := r.Wait(due); len(got) > 0 || err != nil || time.Now().Before(due) {
			t.Fatal(got, err, time.Until(due))
		}
	}
	if err := c.Write(to(c.LocalAddr().Addr(), c), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Wait(longAgo); len(got) != 1 || err != nil {
		t.Fatalf("%v, %v: what is there is left lying when the time is up already", got, err)
	}
}

func TestWakeEndsTheWaitInProgressOrTheNextOne(t *testing.T) {
	_, r := reader(t, "udp4", "127.0.0.1:0")
	r.Wake()
	if got, err := r.Wait(soon()); len(got) > 0 || err != nil {
		t.Fatal(got, err)
	}
	var mu sync.Mutex
	done, asked := 0, 0
	const wakers, each = 4, 500
	var all sync.WaitGroup
	for range wakers {
		all.Go(func() {
			for range each {
				mu.Lock()
				asked++
				mu.Unlock()
				r.Wake()
			}
		})
	}
	for late := soon(); done < wakers*each; {
		if _, err := r.Wait(late); err != nil || time.Now().After(late) {
			t.Fatalf("a wake was lost: %d of %d, %v", done, asked, err)
		}
		mu.Lock()
		done = asked
		mu.Unlock()
	}
	all.Wait()
}

func TestNoWakeIsLostBetweenOneWaitAndTheNext(t *testing.T) {
	_, r := reader(t, "udp4", "127.0.0.1:0")
	asked, answered := make(chan struct{}, 1), make(chan struct{})
	const times = 20_000
	go func() {
		for range times {
			asked <- struct{}{}
			r.Wake()
			<-answered
		}
	}()
	for n, late := 0, soon(); n < times; {
		if _, err := r.Wait(late); err != nil || time.Now().After(late) {
			t.Fatalf("wake %d was lost, %v", n, err)
		}
		select {
		case <-asked:
			n++
			answered <- struct{}{}
		default:
		}
	}
}

func TestReaderAtRestGoesOnReading(t *testing.T) {
	c, r := reader(t, "udp4", "127.0.0.1:0")
	self := to(c.LocalAddr().Addr(), c)
	for i := range 20 {
		sent := 1 + 7*(i/10)*(i%2)
		for range sent {
			if err := c.Write(self, bytes.Repeat([]byte{byte(i)}, 3000)); err != nil {
				t.Fatal(err)
			}
		}
		for got := 0; got < sent; {
			ds, err := r.Wait(soon())
			if err != nil || len(ds) == 0 {
				t.Fatal(len(ds), err)
			}
			for _, d := range ds {
				if len(d.B) != 3000 || d.B[0] != byte(i) || d.B[2999] != byte(i) {
					t.Fatalf("round %d: %d bytes of %d", i, len(d.B), d.B[0])
				}
			}
			got += len(ds)
		}
		r.Rest()
	}
}

func TestReaderOfAClosedSocketSaysSo(t *testing.T) {
	c, r := reader(t, "udp4", "127.0.0.1:0")
	time.AfterFunc(5*time.Millisecond, func() { _ = c.Close() })
	for range 2 {
		if got, err := r.Wait(soon()); len(got) > 0 || !errors.Is(err, net.ErrClosed) {
			t.Fatal(got, err)
		}
	}
	r.Wake()
	if got, err := r.Wait(soon()); len(got) > 0 || !errors.Is(err, net.ErrClosed) {
		t.Fatal(got, err)
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	for _, network := range []string{"udp4", "udp"} {
		c, r := reader(t, network, "0.0.0.0:0")
		b := make([]byte, 256)
		self := to(netip.MustParseAddr("127.0.0.1"), c)
		due := soon()
		n := testing.AllocsPerRun(100, func() {
			if err := c.Write(self, b); err != nil {
				t.Fatal(err)
			}
			if got, err := r.Wait(due); len(got) != 1 || err != nil {
				t.Fatal(got, err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", network, n)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	c, r := reader(b, "udp4", "127.0.0.1:0")
	buf := make([]byte, 256)
	self := to(netip.MustParseAddr("127.0.0.1"), c)
	due := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Write(self, buf); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Wait(due); err != nil {
			b.Fatal(err)
		}
	}
}

// Wake sets its deadline between the announcement of the sleep and the sleeper's own deadline.
func TestWakeJustBeforeTheSleepIsNotLost(t *testing.T) {
	_, r := reader(t, "udp4", "127.0.0.1:0")
	r.state.Store(waiting)
	r.Wake()
	begin := time.Now()
	if err := r.wait(soon()); err != nil || time.Since(begin) > 5*time.Second {
		t.Fatal(err, time.Since(begin))
	}
}

func TestWaitForNoTimeAtAllReturnsAtOnce(t *testing.T) {
	_, r := reader(t, "udp4", "127.0.0.1:0")
	if got, err := r.Wait(time.Time{}); len(got) > 0 || err != nil {
		t.Fatal(got, err)
	}
}

func TestRunArrivesAsTheDatagramsThatItIsMadeOf(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		c, r := reader(t, "udp", addr)
		from := listen(t, "udp", addr)
		plain := listen(t, "udp4", "127.0.0.1:0") // reads without a Reader
		if !from.runs.system.Load() && runtime.GOOS == "linux" {
			t.Fatal("no UDP_SEGMENT")
		}
		send := func(path wire.Path, b []byte) {
			Sockets{from}.WriteEach(path, b, 1400, func(_ []byte, err error) { t.Fatal(err) })
		}
		lo := netip.MustParseAddr("127.0.0.1")
		run := make([]byte, 40*1400+17)
		for i := range run {
			run[i] = byte(i / 1400)
		}
		path := to(lo, c)
		path.Local = lo
		for range 2 {
			send(path, run)
		}
		for got := 0; got < 2*41; {
			ds, err := r.Wait(soon())
			if err != nil || len(ds) == 0 {
				t.Fatal(len(ds), err)
			}
			for _, d := range ds {
				want := 1400
				if got%41 == 40 {
					want = 17
				}
				switch {
				case len(d.B) != want:
					t.Fatalf("datagram %d: len(d.B) is %v, want %v", got, len(d.B), want)
				case cap(d.B) < want:
					t.Fatalf("datagram %d: cap(d.B) is %v, want at least %v", got, cap(d.B), want)
				case d.B[0] != byte(got%41):
					t.Fatalf("datagram %d: d.B[0] is %v, want %v", got, d.B[0], byte(got%41))
				case d.Remote.Port() != from.LocalAddr().Port():
					t.Fatalf("datagram %d: d.Remote.Port() is %v, want %v", got, d.Remote.Port(), from.LocalAddr().Port())
				case d.Local != lo:
					t.Fatalf("datagram %d: d.Local is %v, want %v", got, d.Local, lo)
				}
				got++
			}
		}
		send(to(lo, plain), run[:2*1400])
		for range 2 {
			if got, _ := read(t, plain); len(got) != 1400 {
				t.Fatal(len(got))
			}
		}
	}
}
