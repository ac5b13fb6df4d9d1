package carrier

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// TestMain fails if a goroutine outlives the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines outlive the tests:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leaked waits a while for goroutines to end, and returns the stacks of those that do not.
func leaked() string {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var ours []string
	for range 300 {
		b := make([]byte, 1<<20)
		stacks := strings.Split(string(b[:runtime.Stack(b, true)]), "\n\n")
		ours = slices.DeleteFunc(stacks, func(s string) bool {
			return !strings.Contains(s, "gwyh-go/gwyh/") || strings.Contains(s, "carrier.TestMain")
		})
		if len(ours) == 0 {
			return ""
		}
		<-tick.C
	}
	return strings.Join(ours, "\n\n")
}

// one is a single socket, which the loop reads itself if the system supports that; goroutines read two.
var (
	one = []string{"127.0.0.1"}
	two = []string{"127.0.0.1", "127.0.0.2"}
)

// over returns a Carrier over sockets on addrs, which ends with the test.
func over(t *testing.T, addrs []string, errorf func(string, ...any)) *Carrier {
	t.Helper()
	var parsed []netip.Addr
	for _, a := range addrs {
		parsed = append(parsed, netip.MustParseAddr(a))
	}
	sockets, err := udp.ListenAll(parsed, 0)
	if err != nil {
		t.Fatal(err)
	}
	if errorf == nil {
		errorf = t.Errorf
	}
	stop := make(chan struct{})
	c := New(sockets, roomFor(64), errorf, stop)
	var g sync.WaitGroup
	c.Start(&g)
	t.Cleanup(func() {
		c.Stop()
		close(stop)
		_ = sockets.Close()
		g.Wait()
	})
	return c
}

// to returns the path to the first socket of c.
func to(c *Carrier) wire.Path { return wire.Path{Remote: c.sockets[0].LocalAddr()} }

// soon returns a deadline; a test that reaches it has failed.
func soon() time.Time { return time.Now().Add(10 * time.Second) }

// receive waits for n datagrams.
func receive(t *testing.T, c *Carrier, n int) (got []string) {
	t.Helper()
	for late := soon(); len(got) < n; {
		if time.Now().After(late) {
			t.Fatalf("%d datagrams of %d", len(got), n)
		}
		for ds := c.Wait(late); len(ds) > 0; ds = c.More() {
			for _, d := range ds {
				got = append(got, string(d.B))
			}
		}
	}
	return got
}

func TestDatagramsOfAllSocketsAndIngestedOnesComeOutOfOneWait(t *testing.T) {
	for _, addrs := range [][]string{one, two} {
		c, from := over(t, addrs, nil), over(t, one, nil)
		for i, s := range c.sockets {
			from.SendRun(wire.Path{Remote: s.LocalAddr()}, fmt.Appendf(nil, "to %d", i), 100)
		}
		c.Ingest(wire.Path{}, []byte("ingested"))
		got := receive(t, c, len(addrs)+1)
		slices.Sort(got)
		if want := []string{"ingested", "to 0", "to 1"}; !slices.Equal(got, append(want[:1:1], want[1:len(addrs)+1]...)) {
			t.Errorf("%v: %q", addrs, got)
		}
	}
}

func TestSourceOfADatagramCanBeAnswered(t *testing.T) {
	for _, addrs := range [][]string{one, two} {
		a, b := over(t, addrs, nil), over(t, addrs, nil)
		a.SendRun(to(b), []byte("ping"), 100)
		got := b.Wait(soon())
		if len(got) != 1 || got[0].Remote != a.sockets[0].LocalAddr() {
			t.Fatalf("%v: %+v", addrs, got)
		}
		b.SendRun(got[0].Path, []byte("pong"), 100)
		if got := receive(t, a, 1); got[0] != "pong" {
			t.Errorf("%v: %q", addrs, got)
		}
	}
}

func TestWaitEndsWhenItIsDueOrWoken(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	for _, c := range []*Carrier{over(t, one, nil), over(t, two, nil), NewForeign(nil, roomFor(1), stop)} {
		due := time.Now().Add(5 * time.Millisecond)
		if got := c.Wait(due); len(got) > 0 || time.Now().Before(due) {
			t.Error(got, time.Until(due))
		}
		late := soon()
		c.Wake()
		if got := c.Wait(late); len(got) > 0 || time.Now().After(late) {
			t.Error("not woken")
		}
		c.Stop()
	}
}

func TestIngestWaitsWhileManyWaitAndEndsWithStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		c := NewForeign(nil, roomFor(ingestDepth), stop)
		var g sync.WaitGroup
		done := 0
		g.Go(func() {
			for range 100 * ingestDepth {
				c.Ingest(wire.Path{}, []byte("x"))
				done++
			}
		})
		synctest.Wait()
		if done != ingestDepth {
			t.Errorf("%d ingested where %d may wait", done, ingestDepth)
		}
		c.Wait(time.Now())
		synctest.Wait()
		if done <= ingestDepth || done == 100*ingestDepth {
			t.Errorf("%d ingested after the first were taken", done)
		}
		close(stop)
		g.Wait()
		c.Stop()
		if got := c.Stats(); got != (Stats{}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestIngestWakesTheLoop(t *testing.T) {
	for _, addrs := range [][]string{one, two} {
		c, late := over(t, addrs, nil), soon()
		c.Ingest(wire.Path{}, []byte("x"))
		if got := c.Wait(late); len(got) != 1 || time.Now().After(late) {
			t.Errorf("%v: %+v", addrs, got)
		}
	}
}

func TestLoopOfAClosedSocketIsStillWokenAndReadsNoMore(t *testing.T) {
	for _, addrs := range [][]string{one, two} {
		c := over(t, addrs, nil)
		if err := c.sockets.Close(); err != nil {
			t.Fatal(err)
		}
		late := soon()
		for range 3 {
			c.Wake()
			if got := c.Wait(late); len(got) > 0 || len(c.More()) > 0 || time.Now().After(late) {
				t.Fatalf("%v: %+v", addrs, got)
			}
		}
		if due := time.Now().Add(5 * time.Millisecond); len(c.Wait(due)) > 0 || time.Now().Before(due) {
			t.Errorf("%v: the loop does not rest", addrs)
		}
		c.Ingest(wire.Path{}, []byte("x"))
		receive(t, c, 1)
		c.SendRun(to(c), []byte("x"), 100)
		if got := c.Stats().WriteErrors; got != [Causes]uint64{Other: 1} {
			t.Errorf("%v: errors of writing %v", addrs, got)
		}
		if got := c.Refused(); len(got) > 0 {
			t.Errorf("%v: %+v, though nothing can be done about it", addrs, got)
		}
	}
}
