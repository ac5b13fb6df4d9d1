package carrier

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// roomFor returns the default bounds with room for depth datagrams.
func roomFor(depth int) Room { return Room{Depth: depth, Received: 8 << 20, Written: 32 << 20} }

var peer = wire.Path{Remote: netip.MustParseAddrPort("192.0.2.1:7946")}

// foreign runs f in a bubble with a Carrier whose transport takes one datagram for each value that f sends to through.
func foreign(t *testing.T, depth int, f func(c *Carrier, through chan<- error, wrote *[]string)) {
	synctest.Test(t, func(t *testing.T) {
		stop, through := make(chan struct{}), make(chan error)
		var wrote []string // read only after synctest.Wait
		c := NewForeign(func(to netip.AddrPort, b []byte) error {
			select {
			case err := <-through:
				wrote = append(wrote, to.String()+" "+string(b))
				return err
			case <-stop:
				return nil
			}
		}, roomFor(depth), stop)
		var g sync.WaitGroup
		c.Start(&g)
		f(c, through, &wrote)
		c.Stop()
		close(stop)
		g.Wait()
	})
}

func TestForeignTransportIsHandedCopiesInOrder(t *testing.T) {
	foreign(t, 1, func(c *Carrier, through chan<- error, wrote *[]string) {
		b := []byte("abc")
		c.SendRun(peer, b, 2)
		copy(b, "xxx")
		through <- nil
		through <- errors.New("no")
		synctest.Wait()
		if want := []string{"192.0.2.1:7946 ab", "192.0.2.1:7946 c"}; !slices.Equal(*wrote, want) {
			t.Errorf("%q, want %q", *wrote, want)
		}
		if got := c.Stats(); got != (Stats{WriteErrors: [Causes]uint64{Other: 1}}) {
			t.Errorf("%+v", got)
		}
		if got := c.Refused(); len(got) > 0 {
			t.Errorf("%+v: such errors say nothing", got)
		}
	})
}

func TestForeignTransportThatBlocksDelaysNobody(t *testing.T) {
	foreign(t, 1, func(c *Carrier, through chan<- error, wrote *[]string) {
		c.SendRun(peer, []byte("held"), 100)
		synctest.Wait() // the writer holds one datagram
		for range queuedMax/2 + 3 {
			c.SendRun(peer, []byte("x"), 100)
		}
		if got := c.Stats(); got != (Stats{OutboxDropped: 3}) {
			t.Errorf("%+v", got)
		}
		for range queuedMax/2 + 1 {
			through <- nil
		}
		synctest.Wait()
		if len(*wrote) != queuedMax/2+1 {
			t.Errorf("%d written", len(*wrote))
		}
	})
}

func TestForeignTransportIsFlushedWhenItHasAllThatWasSent(t *testing.T) {
	foreign(t, 1, func(c *Carrier, through chan<- error, _ *[]string) {
		c.SendRun(peer, []byte("abc"), 1)
		flushed := c.Flushed()
		for range 3 {
			synctest.Wait()
			select {
			case <-flushed:
				t.Fatal("flushed too early")
			default:
			}
			through <- nil
		}
		<-flushed
	})
}

func TestFlushedOfAFullQueueEndsWithStop(t *testing.T) {
	foreign(t, 1, func(c *Carrier, _ chan<- error, _ *[]string) {
		for range queuedMax/2 + 1 {
			c.SendRun(peer, []byte("x"), 100)
		}
		c.Flushed() // a flush that is left would outlive the bubble
	})
}

func TestForeignTransportGetsNoProbe(t *testing.T) {
	foreign(t, 1, func(c *Carrier, through chan<- error, _ *[]string) {
		c.SendWhole(peer, []byte("x"))
		<-c.Flushed()
	})
}

func TestForeignDatagramsThatAreTooManyAreDroppedAndCounted(t *testing.T) {
	foreign(t, 2, func(c *Carrier, _ chan<- error, _ *[]string) {
		b := []byte("1")
		for range 5 {
			c.Put(peer, b)
			b[0]++
		}
		got := c.Wait(time.Now())
		switch {
		case len(got) != 2:
			t.Errorf("len(got) is %d, want 2: %v", len(got), got)
		case string(got[0].B) != "1":
			t.Errorf("string(got[0].B) is %q, want %q", string(got[0].B), "1")
		case string(got[1].B) != "2":
			t.Errorf("string(got[1].B) is %q, want %q", string(got[1].B), "2")
		case got[0].Path != peer:
			t.Errorf("the path is %v, want %v", got[0].Path, peer)
		}
		if len(c.More()) > 0 {
			t.Error("more came out")
		}
		if got := c.Stats(); got != (Stats{InboxDropped: 3}) {
			t.Errorf("%+v", got)
		}
	})
}
