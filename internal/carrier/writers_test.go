package carrier

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// slowEnd is a foreign transport in a bubble. A write to an address takes the time in takes.
type slowEnd struct {
	mu      sync.Mutex // guards the following fields
	takes   map[netip.AddrPort]time.Duration
	wrote   map[netip.AddrPort][]string
	within  map[netip.AddrPort]int // writes in progress
	writing int                    // sum of within
	most    int                    // maximum of writing
	twice   bool                   // two concurrent writes to one address occurred
}

func (s *slowEnd) write(to netip.AddrPort, b []byte) error {
	time.Sleep(s.enter(to, 1))
	s.enter(to, -1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote[to] = append(s.wrote[to], string(b))
	return nil
}

// enter counts the begin (n = 1) or end (n = -1) of a write, and returns how long the write takes.
func (s *slowEnd) enter(to netip.AddrPort, n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.within[to] += n
	s.writing += n
	s.most = max(s.most, s.writing)
	s.twice = s.twice || s.within[to] > 1
	return s.takes[to]
}

// slow sets how long each write to an address takes.
func (s *slowEnd) slow(to wire.Path, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes[to.Remote] = takes
}

func (s *slowEnd) written(to wire.Path) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrote[to.Remote])
}

// overSlow runs f in a bubble with a Carrier over a slowEnd. At the end it waits for the writes in progress.
func overSlow(t *testing.T, f func(c *Carrier, end *slowEnd)) {
	synctest.Test(t, func(t *testing.T) {
		end := &slowEnd{takes: make(map[netip.AddrPort]time.Duration), wrote: make(map[netip.AddrPort][]string), within: make(map[netip.AddrPort]int)}
		stop := make(chan struct{})
		c := NewForeign(end.write, roomFor(1), stop)
		defer func() {
			c.Stop()
			close(stop)
			c.EndWrites(time.Hour)
		}()
		f(c, end)
	})
}

// node returns the i-th of many destinations.
func node(i int) wire.Path {
	return wire.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7946)}
}

func TestSlowDestinationDelaysOnlyItself(t *testing.T) {
	overSlow(t, func(c *Carrier, end *slowEnd) {
		for i := range 50 {
			end.slow(node(i), 3*time.Second)
		}
		for i := range 100 {
			c.SendRun(node(i), []byte("x"), 1)
			c.SendRun(node(i), []byte("y"), 1)
		}
		synctest.Wait()
		for i := range 100 {
			if got := len(end.written(node(i))); got != i/50*2 {
				t.Errorf("destination %d was written to %d times", i, got)
			}
		}
	})
}

func TestOrderOfADestinationStaysAndItIsNeverWrittenToTwiceAtOnce(t *testing.T) {
	overSlow(t, func(c *Carrier, end *slowEnd) {
		var want []string
		for i := range 40 {
			for k := range 20 {
				end.slow(node(k), time.Duration(k)*time.Millisecond)
				c.SendRun(node(k), fmt.Appendf(nil, "%02d.0%02d.1", i, i), 4)
			}
			want = append(want, fmt.Sprintf("%02d.0", i), fmt.Sprintf("%02d.1", i))
			time.Sleep(7 * time.Millisecond)
		}
		<-c.Flushed()
		for k := range 20 {
			if got := end.written(node(k)); !slices.Equal(got, want) {
				t.Errorf("destination %d: %q", k, got)
			}
		}
		if end.twice {
			t.Error("two writes at once to one destination")
		}
	})
}

// running returns the number of writers.
func running(c *Carrier) int {
	c.foreign.mu.Lock()
	defer c.foreign.mu.Unlock()
	return c.foreign.running
}

func TestWritersEndWhenNothingIsToBeWritten(t *testing.T) {
	overSlow(t, func(c *Carrier, end *slowEnd) {
		for i := range 100 {
			end.slow(node(i), time.Second/2)
			c.SendRun(node(i), []byte("x"), 1)
		}
		synctest.Wait()
		// There is one writer for each destination, and no idle one.
		if got := running(c); got != 100 {
			t.Errorf("%d writers for 100 slow destinations", got)
		}
		<-c.Flushed()
		synctest.Wait()
		if got := running(c); got != 0 {
			t.Errorf("%d writers at rest", got)
		}
		if got := len(c.foreign.to); got != 0 {
			t.Errorf("%d destinations are remembered", got)
		}
	})
}

func TestWritersAreBoundedAndTheRestWaits(t *testing.T) {
	overSlow(t, func(c *Carrier, end *slowEnd) {
		const more = writersMax + 100
		for i := range more {
			end.slow(node(i), time.Second/2)
			c.SendRun(node(i), []byte("x"), 1)
		}
		synctest.Wait()
		<-c.Flushed()
		synctest.Wait()
		if end.most != writersMax {
			t.Errorf("%d writes at once, want %d", end.most, writersMax)
		}
		for i := range more {
			if len(end.written(node(i))) != 1 {
				t.Fatalf("destination %d was not written to", i)
			}
		}
	})
}

func TestBlockedDestinationsShareTheQueueAndLeaveRoomForOthers(t *testing.T) {
	for _, c := range []struct {
		what  string
		bytes int
	}{{"by number", 1}, {"by bytes", 60_000}} {
		t.Run(c.what, func(t *testing.T) {
			overSlow(t, func(car *Carrier, end *slowEnd) {
				datagram := make([]byte, c.bytes)
				for i := range 9 {
					end.slow(node(i), time.Minute)
					for range queuedMax {
						car.SendRun(node(i), datagram, c.bytes)
					}
				}
				w := car.foreign
				if w.queued >= queuedMax || w.size >= w.max {
					t.Errorf("%d datagrams of %d bytes wait", w.queued, w.size)
				}
				car.SendRun(node(9), datagram, c.bytes)
				synctest.Wait()
				if len(end.written(node(9))) != 1 {
					t.Error("a destination that is not slow found no room")
				}
				want := 9*queuedMax - w.queued - 9 // one datagram of each destination is being written
				if got := car.Stats().OutboxDropped; got != uint64(want) {
					t.Errorf("%d dropped, want %d", got, want)
				}
			})
		})
	}
}

func TestDatagramThatHasWaitedTooLongIsNotWritten(t *testing.T) {
	overSlow(t, func(c *Carrier, end *slowEnd) {
		end.slow(node(0), 2*time.Second)
		for _, s := range []string{"0 s", "2 s", "4 s: late"} {
			c.SendRun(node(0), []byte(s), 100)
			synctest.Wait()
		}
		time.Sleep(3 * time.Second)
		c.SendRun(node(0), []byte("new"), 100)
		time.Sleep(time.Minute)
		if got := end.written(node(0)); !slices.Equal(got, []string{"0 s", "2 s", "new"}) {
			t.Errorf("%q", got)
		}
		if got := c.Stats(); got != (Stats{OutboxLate: 1}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestFlushDoesNotWaitForAWriteThatBlocks(t *testing.T) {
	overSlow(t, func(c *Carrier, end *slowEnd) {
		begin := time.Now()
		end.slow(node(0), time.Hour)
		end.slow(node(1), 900*time.Millisecond)
		for i := range 2 {
			for range 3 {
				c.SendRun(node(i), []byte("x"), 1)
			}
		}
		<-c.Flushed()
		if got := len(end.written(node(1))); got != 3 {
			t.Errorf("%d of 3 were written where nothing blocks", got)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestEndWritesWaitsForWritesInProgressButNotForEver(t *testing.T) {
	for _, c := range []struct{ takes, want time.Duration }{{time.Second, time.Second}, {time.Hour, 10 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			stop, begin := make(chan struct{}), time.Now()
			writes := 0
			car := NewForeign(func(netip.AddrPort, []byte) error { writes++; time.Sleep(c.takes); return nil }, roomFor(1), stop)
			car.SendRun(node(0), []byte("xyz"), 1)
			synctest.Wait()
			close(stop)
			car.EndWrites(10 * time.Second)
			if took := time.Since(begin); took != c.want {
				t.Errorf("writes of %v: took %v, want %v", c.takes, took, c.want)
			}
			time.Sleep(2 * time.Hour)
			if writes != 1 {
				t.Errorf("%d writes, of which %d began after stop", writes, writes-1)
			}
		})
	}
}

func TestPacketsThatWaitForASlowDestinationShareDatagrams(t *testing.T) {
	overSlow(t, func(c *Carrier, end *slowEnd) {
		end.slow(node(0), time.Second/2)
		c.SendPackets(node(0), []byte("first,"), 1)
		synctest.Wait() // the first datagram is being written
		for range 9 {
			c.SendPackets(node(0), []byte("abc,"), 1)
		}
		c.SendRun(node(0), []byte("alone,"), 100)
		c.SendPackets(node(0), []byte("d,"), 1)
		<-c.Flushed()
		if got := end.written(node(0)); !slices.Equal(got, []string{"first,", "abc,abc,abc,abc,abc,abc,abc,abc,", "abc,", "alone,", "d,"}) {
			t.Errorf("%q", got)
		}
	})
}
