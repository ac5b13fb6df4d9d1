package gwyh

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// full runs the load tests at the length that docs/PERFORMANCE.md quotes: "make load" on an idle machine. Without it
// they are short and also pass on a busy machine. TestFloodArrivesWhereNodesGetLittleProcessorTime in internal/gossip
// shows in virtual time that nothing is lost if nodes get little processor time.
var full = flag.Bool("full", false, "run the load tests at full length")

// counter is a Delegate that counts messages.
type counter struct {
	recorder
	messages atomic.Int64
	twice    atomic.Int64
	seen     []atomic.Bool // by the number at the beginning of each message
	queue    atomic.Pointer[TransmitLimitedQueue]
}

func (c *counter) GetBroadcasts(overhead, limit int) [][]byte {
	if q := c.queue.Load(); q != nil {
		return q.GetBroadcasts(overhead, limit)
	}
	return nil
}

func (c *counter) NotifyMsg(b []byte) {
	if n := binary.BigEndian.Uint64(b); n < uint64(len(c.seen)) && c.seen[n].Swap(true) {
		c.twice.Add(1)
		return
	}
	c.messages.Add(1)
}

// crowd starts a cluster of n counters on loopback.
func crowd(t testing.TB, n, messages int) ([]*Memberlist, []*counter) {
	t.Helper()
	return whole(t, n, func() *counter { return &counter{seen: make([]atomic.Bool, messages)} })
}

// whole starts a cluster of n nodes on loopback, each with a delegate, and waits until they know each other and have links.
func whole[D Delegate](t testing.TB, n int, delegate func() D) ([]*Memberlist, []D) {
	t.Helper()
	ms, ds := make([]*Memberlist, n), make([]D, n)
	for i := range n {
		ds[i] = delegate()
		c := testConfig(fmt.Sprint("n", i), nil)
		c.Delegate = ds[i]
		ms[i] = create(t, c)
		if i > 0 {
			join(t, ms[i], ms[0])
		}
	}
	until(t, func() bool {
		return !slices.ContainsFunc(ms, func(m *Memberlist) bool { return m.NumMembers() != n || m.Stats().Subscriptions < 5 })
	})
	return ms, ds
}

// settle waits until left returns 0, or until it has not decreased for a minute, because a busy machine is slow. It
// returns the last value.
func settle(left func() int) int {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	n, since := left(), time.Now()
	for n > 0 && time.Since(since) < time.Minute {
		<-tick.C
		if now := left(); now < n {
			n, since = now, time.Now()
		}
	}
	return n
}

// missing returns how many messages the counters lack if each should have received each.
func missing(cs []*counter, each int) (n int) {
	for _, c := range cs {
		n += each - int(c.messages.Load())
	}
	return n
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
	if raceEnabled || testing.Short() {
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
	settle(func() int { return missing(cs, total*(n-1)/n) })
	for i, c := range cs {
		if c.messages.Load() != int64(total*(n-1)/n) || c.twice.Load() != 0 {
			t.Errorf("node %d: %d messages, %d twice", i, c.messages.Load(), c.twice.Load())
		}
	}
}

// flood sends for length, as fast as Broadcast accepts messages. It pauses after each refusal, as programs do; with no
// pause it leaves no time to others. make returns the i-th message.
func flood(t *testing.T, m *Memberlist, length, pause time.Duration, make func(i int) []byte) (accepted, refused int) {
	for end := time.Now().Add(length); time.Now().Before(end); {
		switch err := m.Broadcast(make(accepted)); {
		case err == nil:
			accepted++
		case errors.Is(err, ErrQueueFull):
			refused++
			if pause > 0 {
				<-time.After(pause)
			}
		default:
			t.Error(err)
			return
		}
	}
	return accepted, refused
}

// One node sends as fast as it can. Accepted messages arrive, and lost ones are counted.
func TestFloodOfOneNodeIsDeliveredOrRefused(t *testing.T) {
	for _, pause := range []time.Duration{0, 50 * time.Microsecond} {
		floodOfOne(t, pause)
	}
}

func floodOfOne(t *testing.T, pause time.Duration) {
	const n = 10
	length := 300 * time.Millisecond
	if testing.Short() {
		length = 20 * time.Millisecond
	}
	if *full {
		length = 10 * time.Second
	}
	ms, cs := crowd(t, n, 2_000_000)
	accepted, refused := flood(t, ms[0], length, pause, func(i int) []byte { return numbered(i, 256) })
	lost, counted := settle(func() int { return missing(cs[1:], accepted) }), uint64(0)
	for i, c := range cs[1:] {
		if c.twice.Load() != 0 {
			t.Errorf("node %d: %d messages twice", i+1, c.twice.Load())
		}
	}
	for _, m := range ms {
		counted += m.Stats().Dropped
	}
	t.Logf("pauses of %v: accepted %d, refused %d, lost %d of %d deliveries, dropped %d", pause, accepted, refused, lost, accepted*(n-1), counted)
	if 10_000*lost > accepted*(n-1) || lost > 0 && counted == 0 {
		t.Errorf("lost %d of %d deliveries, %d drops counted", lost, accepted*(n-1), counted)
	}
	shutdown(t, ms)
}

func shutdown(t *testing.T, ms []*Memberlist) {
	t.Helper()
	for _, m := range ms {
		if err := m.Shutdown(); err != nil {
			t.Error(err)
		}
	}
}

// origins is a Delegate that counts the messages of each node, whose number is the byte after the message number.
type origins struct {
	recorder
	messages []atomic.Int64
}

func (o *origins) NotifyMsg(b []byte) { o.messages[b[8]].Add(1) }

// All nodes send as fast as they can, more than any node can receive. Accepted messages arrive.
func TestFloodOfAllNodesIsDeliveredOrRefused(t *testing.T) {
	length, sizes, pauses := 100*time.Millisecond, []int{256, 20_000}, []time.Duration{200 * time.Microsecond}
	if raceEnabled || testing.Short() {
		length = 20 * time.Millisecond
	}
	if *full {
		length, sizes, pauses = 3*time.Second, []int{256, 5000, 20_000}, append(pauses, 0)
	}
	for _, pause := range pauses {
		for _, size := range sizes {
			floodOfAll(t, length, pause, size)
		}
	}
}

func floodOfAll(t *testing.T, length, pause time.Duration, size int) {
	const n = 10
	ms, ds := whole(t, n, func() *origins { return &origins{messages: make([]atomic.Int64, n)} })
	var accepted, refused [n]int
	var floods sync.WaitGroup
	for i, m := range ms {
		floods.Go(func() {
			accepted[i], refused[i] = flood(t, m, length, pause, func(k int) []byte {
				b := numbered(k, size)
				b[8] = byte(i)
				return b
			})
		})
	}
	floods.Wait()
	total := 0
	for _, k := range accepted {
		total += k * (n - 1)
	}
	lost := settle(func() int {
		left := total
		for i, d := range ds {
			for k := range d.messages {
				if k != i {
					left -= int(d.messages[k].Load())
				}
			}
		}
		return left
	})
	t.Logf("%d B, pauses of %v: accepted %v, refused %v, lost %d of %d deliveries", size, pause, accepted, refused, lost, total)
	for i, d := range ds {
		for k := range d.messages {
			if got := int(d.messages[k].Load()); k != i && got != accepted[k] {
				t.Logf("node %d delivered %d messages of node %d", i, got, k)
			}
		}
	}
	if lost < 0 || 10_000*lost > total {
		t.Errorf("%d B, pauses of %v: lost %d of %d deliveries", size, pause, lost, total)
	}
	shutdown(t, ms)
}

// The queues of all nodes hold more than can be sent at once. They are sent as there is room.
func TestFullQueuesOfTheApplicationAreSentWhole(t *testing.T) {
	const n, each = 10, 1000
	ms, cs := crowd(t, n, n*each)
	var queues [n]*TransmitLimitedQueue
	for i, c := range cs {
		queues[i] = &TransmitLimitedQueue{RetransmitMult: 4, NumNodes: func() int { return n }}
		for k := range each {
			queues[i].QueueBroadcast(message(numbered(i*each+k, 300)))
		}
		c.queue.Store(queues[i])
	}
	settle(func() int { return missing(cs, (n-1)*each) })
	for i, c := range cs {
		if c.messages.Load() != (n-1)*each || c.twice.Load() != 0 {
			t.Errorf("node %d: %d messages, %d twice, %d dropped", i, c.messages.Load(), c.twice.Load(), ms[i].Stats().Dropped)
		}
	}
}

// message is a Broadcast that invalidates no other.
type message []byte

func (message) Invalidates(Broadcast) bool { return false }
func (m message) Message() []byte          { return m }
func (message) Finished()                  {}
