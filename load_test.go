package gwyh

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// full makes the load tests as long as docs/PERFORMANCE.md quotes them.
var full = flag.Bool("full", false, "run the load tests at full length")

// counter is a Delegate that counts.
type counter struct {
	recorder
	messages atomic.Int64
	twice    atomic.Int64
	seen     []atomic.Bool // by the number that each message begins with
}

func (c *counter) NotifyMsg(b []byte) {
	if n := binary.BigEndian.Uint64(b); n < uint64(len(c.seen)) && c.seen[n].Swap(true) {
		c.twice.Add(1)
		return
	}
	c.messages.Add(1)
}

// crowd is a whole cluster of counters on loopback.
func crowd(t testing.TB, n, messages int) ([]*Memberlist, []*counter) {
	t.Helper()
	ms, cs := make([]*Memberlist, n), make([]*counter, n)
	for i := range n {
		cs[i] = &counter{seen: make([]atomic.Bool, messages)}
		c := testConfig(fmt.Sprint("n", i), nil)
		c.Delegate = cs[i]
		ms[i] = create(t, c)
		if i > 0 {
			join(t, ms[i], ms[0])
		}
	}
	until(t, func() bool {
		return !slices.ContainsFunc(ms, func(m *Memberlist) bool { return m.NumMembers() != n || m.Stats().Subscriptions < 5 })
	})
	return ms, cs
}

func numbered(n, size int) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint64(b, uint64(n))
	return b
}

func TestSteadyBroadcastsAreNotLost(t *testing.T) {
	const n, rate = 10, 1000
	total := 2 * rate
	if *full {
		total = 30 * rate
	}
	if raceEnabled {
		total = rate / 4
	}
	ms, cs := crowd(t, n, total)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for sent := 0; sent < total; {
		<-tick.C
		for range min(rate/100, total-sent) {
			if err := ms[sent%n].Broadcast(numbered(sent, 1024)); err != nil {
				t.Fatal(err)
			}
			sent++
		}
	}
	until(t, func() bool {
		return !slices.ContainsFunc(cs, func(c *counter) bool { return c.messages.Load() < int64(total*(n-1)/n) })
	})
	for i, c := range cs {
		if c.messages.Load() != int64(total*(n-1)/n) || c.twice.Load() != 0 {
			t.Errorf("node %d: %d messages, %d twice", i, c.messages.Load(), c.twice.Load())
		}
	}
}

// One node sends as fast as it can. What Broadcast takes arrives, and what is lost all the same is counted.
func TestFloodOfOneNodeIsDeliveredOrRefused(t *testing.T) {
	const n = 10
	length := 300 * time.Millisecond
	if *full {
		length = 10 * time.Second
	}
	ms, cs := crowd(t, n, 2_000_000)
	accepted, refused := 0, 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		switch err := ms[0].Broadcast(numbered(accepted, 256)); {
		case err == nil:
			accepted++
		case errors.Is(err, ErrQueueFull):
			refused++
		default:
			t.Fatal(err)
		}
	}
	settled := func() bool {
		return !slices.ContainsFunc(cs[1:], func(c *counter) bool { return c.messages.Load() < int64(accepted) })
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(10 * time.Second); !settled(); {
		select {
		case <-tick.C:
			continue
		case <-limit:
		}
		break
	}
	lost, counted := int64(0), uint64(0)
	for i, c := range cs[1:] {
		lost += int64(accepted) - c.messages.Load()
		if c.twice.Load() != 0 {
			t.Errorf("node %d: %d messages twice", i+1, c.twice.Load())
		}
	}
	for _, m := range ms {
		counted += m.Stats().Dropped
	}
	t.Logf("accepted %d, refused %d, lost %d of %d deliveries, dropped %d", accepted, refused, lost, accepted*(n-1), counted)
	if 10_000*lost > int64(accepted*(n-1)) || lost > 0 && counted == 0 {
		t.Errorf("lost %d of %d deliveries, %d drops counted", lost, accepted*(n-1), counted)
	}
}
