package simnet

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// rough is a link on which every condition occurs.
var rough = Link{
	Latency:      Exponential(10*time.Millisecond, time.Millisecond),
	Jitter:       Exponential(10*time.Millisecond, 0),
	Loss:         0.05,
	Duplicate:    0.02,
	Reorder:      0.1,
	ReorderDelay: Uniform(0, 50*time.Millisecond),
	Rate:         Mbit,
	Queue:        500,
}

// roughRun floods a rough network, injects faults and returns the network.
func roughRun(seed uint64, hook func(Event)) *Network {
	n, hosts := newFlood(Config{Seed: seed, Link: rough, Trace: hook}, 60, 200)
	half := n.Hosts()[:30]
	rest := n.Hosts()[30:]
	n.After(200*time.Millisecond, func() { n.Partition(half, rest) })
	n.After(300*time.Millisecond, n.HealAll)
	n.After(250*time.Millisecond, func() { n.Crash(testAddr(7)) })
	n.After(400*time.Millisecond, func() { n.Restart(testAddr(7), hosts[7]) })
	n.SetLoad(testAddr(3), Load{Share: 0.1, Cost: time.Millisecond})
	for i := range 50 {
		n.After(time.Duration(i/5)*50*time.Millisecond, func() {
			n.Do(testAddr(i), func(time.Time) { hosts[i].broadcast(uint64(i + 1)) })
		})
	}
	n.RunFor(2 * time.Second)
	return n
}

func TestSameSeedSameTrace(t *testing.T) {
	var first, second []Event
	record := func(to *[]Event) func(Event) {
		return func(e Event) { e.Data = slices.Clone(e.Data); *to = append(*to, e) }
	}
	a, b := roughRun(5, record(&first)), roughRun(5, record(&second))
	if a.TraceHash() != b.TraceHash() || a.Events() != b.Events() || a.Stats() != b.Stats() {
		t.Errorf("two runs: hash %x and %x, %d and %d events", a.TraceHash(), b.TraceHash(), a.Events(), b.Events())
	}
	if !slices.EqualFunc(first, second, func(x, y Event) bool {
		return x.At == y.At && x.Kind == y.Kind && x.Cause == y.Cause && x.From == y.From && x.To == y.To && slices.Equal(x.Data, y.Data)
	}) {
		t.Error("same hash, but other events")
	}
	if uint64(len(first)) != a.Events() {
		t.Errorf("%d events counted, %d seen by the hook", a.Events(), len(first))
	}
	if len(first) < 10_000 {
		t.Errorf("only %d events, this shows little", len(first))
	}
}

func TestTraceHookChangesNothing(t *testing.T) {
	if a, b := roughRun(5, nil), roughRun(5, func(Event) {}); a.TraceHash() != b.TraceHash() {
		t.Error("another trace with a hook")
	}
}

func TestOtherSeedOtherTrace(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(5) {
		seen[roughRun(seed, nil).TraceHash()] = true
	}
	if len(seen) != 5 {
		t.Errorf("5 seeds gave %d traces", len(seen))
	}
}

func TestTraceHashCoversTheBytes(t *testing.T) {
	hash := func(id uint64) uint64 {
		n := New(Config{Seed: 1})
		p := addProbes(n, 2)
		n.Do(testAddr(0), func(time.Time) { p[0].queue(testAddr(1), id, 100) })
		n.RunFor(time.Second)
		return n.TraceHash()
	}
	first, again, other := hash(1), hash(1), hash(2)
	if first != again || first == other {
		t.Errorf("hashes %x and %x for one payload, %x for another", first, again, other)
	}
}

func TestEveryDatagramIsAccountedFor(t *testing.T) {
	n := roughRun(9, nil)
	s := n.Stats()
	waiting := uint64(len(n.packets.all) - len(n.packets.free))
	if s.Sent+s.Duplicated != s.Delivered+s.LostInAll()+waiting {
		t.Errorf("%d sent and %d duplicated, but %d delivered, %d lost, %d waiting", s.Sent, s.Duplicated, s.Delivered, s.LostInAll(), waiting)
	}
	for _, cause := range []Cause{LostOnLink, LostInQueue, LostToBlock, LostNoHost} {
		if s.Lost[cause] == 0 {
			t.Errorf("nothing lost by cause %q, this shows little", cause)
		}
	}
	var byZone, byHost Traffic
	for _, from := range n.Zones() {
		for _, to := range n.Zones() {
			z := n.ZoneStats(from, to)
			byZone.add(&z)
		}
	}
	for _, a := range n.Hosts() {
		h := n.HostStats(a)
		byHost.Sent += h.Sent
		byHost.SentBytes += h.SentBytes
		byHost.Delivered += h.Received
		byHost.DeliveredBytes += h.ReceivedBytes
	}
	if byZone != s {
		t.Errorf("zones sum up to %+v, all is %+v", byZone, s)
	}
	switch {
	case byHost.Sent != s.Sent:
		t.Errorf("the hosts sent %v datagrams, want %v", byHost.Sent, s.Sent)
	case byHost.SentBytes != s.SentBytes:
		t.Errorf("the hosts sent %v bytes, want %v", byHost.SentBytes, s.SentBytes)
	case byHost.Delivered != s.Delivered:
		t.Errorf("the hosts were delivered %v datagrams, want %v", byHost.Delivered, s.Delivered)
	case byHost.DeliveredBytes != s.DeliveredBytes:
		t.Errorf("the hosts were delivered %v bytes, want %v", byHost.DeliveredBytes, s.DeliveredBytes)
	}
}

func TestSimultaneousEventsKeepTheirOrder(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Latency: Constant(time.Millisecond)}})
	p := addProbes(n, 3)
	var order []string
	p[2].onData = func(_ time.Time, from wire.Path, _ []byte) { order = append(order, from.Remote.Addr().String()) }
	p[2].timer = n.Now().Add(time.Millisecond)
	n.Do(testAddr(2), func(time.Time) {})
	n.After(time.Millisecond, func() { order = append(order, "action") })
	send(n, p[1], testAddr(1), testAddr(2), 1, 8)
	send(n, p[0], testAddr(0), testAddr(2), 1, 8)
	n.RunFor(time.Millisecond)
	if want := []string{"action", "10.0.0.1", "10.0.0.0"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if len(p[2].timeouts) != 1 {
		t.Error("the timeout of the same moment has not come")
	}
}

func TestRunUntilEndsAtTheEventThatFulfilsIt(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Latency: Constant(5 * time.Millisecond)}})
	p := addProbes(n, 2)
	send(n, p[0], testAddr(0), testAddr(1), 3, 8)
	if !n.RunUntil(time.Second, func() bool { return len(p[1].got) == 2 }) || n.Elapsed() != 5*time.Millisecond {
		t.Errorf("stopped at %v with %d datagrams", n.Elapsed(), len(p[1].got))
	}
	if n.RunUntil(time.Second, func() bool { return len(p[1].got) == 4 }) || n.Elapsed() != 1005*time.Millisecond {
		t.Errorf("gave up at %v with %d datagrams", n.Elapsed(), len(p[1].got))
	}
}

func TestStopEndsARunAndStepGoesOn(t *testing.T) {
	n := New(Config{Seed: 1})
	var calls int
	for i := range 5 {
		n.At(n.Now().Add(time.Duration(i)*time.Second), func() {
			if calls++; calls == 2 {
				n.Stop()
			}
		})
	}
	n.RunFor(time.Minute)
	if calls != 2 || n.Elapsed() != time.Second {
		t.Errorf("stopped after %d calls at %v", calls, n.Elapsed())
	}
	for n.Step() {
	}
	if calls != 5 || n.Elapsed() != 4*time.Second {
		t.Errorf("stepped to %d calls at %v", calls, n.Elapsed())
	}
}

func TestReaderDependsOnSeedAndStreamOnly(t *testing.T) {
	draw := func(seed, stream uint64) (b [32]byte) {
		n := New(Config{Seed: seed})
		n.rng.Uint64()
		n.Reader(stream).Read(b[:])
		return b
	}
	first, again, otherStream, otherSeed := draw(1, 2), draw(1, 2), draw(1, 3), draw(2, 2)
	if first != again || first == otherStream || first == otherSeed {
		t.Errorf("drew %x and %x, %x from another stream, %x with another seed", first, again, otherStream, otherSeed)
	}
}

func TestInjectedDatagramHasTheSourceItClaims(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Latency: Constant(time.Millisecond)}})
	p := addProbes(n, 1)
	nobody := testAddr(12345)
	n.Inject(nobody, testAddr(0), make([]byte, 20))
	n.Inject(nobody, nobody, make([]byte, 20))
	n.RunFor(time.Second)
	if len(p[0].got) != 1 || p[0].got[0].from.Remote != nobody {
		t.Errorf("got %v", p[0].got)
	}
	if s := n.Stats(); s.Sent != 2 || s.Delivered != 1 || s.Lost[LostNoHost] != 1 {
		t.Errorf("counted %+v", s)
	}
}
