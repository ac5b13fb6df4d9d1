package simnet

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A probe records its inputs, sends what is queued, and has one timer.
type probe struct {
	got      []arrival
	out      []outgoing
	timer    time.Time
	every    time.Duration // interval that re-arms the timer; zero: it fires once
	timeouts []time.Time
	onData   func(now time.Time, from wire.Path, b []byte)
}

type arrival struct {
	at   time.Time
	from wire.Path
	id   uint64 // the first 8 bytes of the datagram
	size int
}

type outgoing struct {
	to wire.Path
	b  []byte
}

func (p *probe) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	a := arrival{at: now, from: from, size: len(b)}
	if len(b) >= 8 {
		a.id = binary.BigEndian.Uint64(b)
	}
	p.got = append(p.got, a)
	if p.onData != nil {
		p.onData(now, from, b)
	}
}

func (p *probe) HandleTimeout(now time.Time) {
	p.timeouts = append(p.timeouts, now)
	p.timer = time.Time{}
	if p.every > 0 {
		p.timer = now.Add(p.every)
	}
}

func (p *probe) NextTimeout() time.Time { return p.timer }

func (p *probe) Drain(_ time.Time, send func(to wire.Path, b []byte)) {
	for _, o := range p.out {
		send(o.to, o.b)
	}
	p.out = p.out[:0]
}

// queue makes the probe send a datagram of size bytes that starts with id.
func (p *probe) queue(to netip.AddrPort, id uint64, size int) {
	b := make([]byte, max(size, 8))
	binary.BigEndian.PutUint64(b, id)
	p.out = append(p.out, outgoing{wire.Path{Remote: to}, b[:size]})
}

// addProbes adds hosts with the addresses testAddr(0), testAddr(1), ... in the zone "".
func addProbes(n *Network, count int) []*probe {
	probes := make([]*probe, count)
	for i := range probes {
		probes[i] = &probe{}
		n.Add(HostConfig{Addr: testAddr(i)}, probes[i])
	}
	return probes
}

// send makes the host at from send count datagrams at once, numbered from zero.
func send(n *Network, p *probe, from, to netip.AddrPort, count, size int) {
	n.Do(from, func(time.Time) {
		for i := range count {
			p.queue(to, uint64(i), size)
		}
	})
}

func ids(got []arrival) []uint64 {
	var ids []uint64
	for _, a := range got {
		ids = append(ids, a.id)
	}
	return ids
}

// mustPanic runs f and returns the value it panics with.
func mustPanic(t *testing.T, f func()) (message string) {
	t.Helper()
	defer func() {
		if message, _ = recover().(string); message == "" {
			t.Error("no panic")
		}
	}()
	f()
	return ""
}

func TestDatagramReachesItsAddressWithBothEndsOfThePath(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Latency: Constant(time.Millisecond)}})
	p := addProbes(n, 2)
	start := n.Now()
	send(n, p[0], testAddr(0), testAddr(1), 1, 100)
	n.RunFor(time.Second)
	want := arrival{start.Add(time.Millisecond), wire.Path{Remote: testAddr(0), Local: testAddr(1).Addr()}, 0, 100}
	if len(p[1].got) != 1 || p[1].got[0] != want {
		t.Errorf("got %v, want %v", p[1].got, want)
	}
	if n.Elapsed() != time.Second {
		t.Errorf("after RunFor(1s) it is %v", n.Elapsed())
	}
}

func TestMappedIPv4AddressReachesTheIPv4Host(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 2)
	mapped := netip.AddrPortFrom(netip.AddrFrom16(testAddr(1).Addr().As16()), testAddr(1).Port())
	send(n, p[0], testAddr(0), mapped, 1, 8)
	n.RunFor(time.Second)
	if len(p[1].got) != 1 {
		t.Errorf("got %d datagrams", len(p[1].got))
	}
}

func TestDatagramsToOneselfNeedNoTimeAndAreNeverLost(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Latency: Constant(time.Second), Loss: 1}})
	p := addProbes(n, 1)
	send(n, p[0], testAddr(0), testAddr(0), 10, 8)
	n.RunFor(0)
	if len(p[0].got) != 10 {
		t.Errorf("got %d of 10", len(p[0].got))
	}
}

func TestTimeoutComesAtItsTimeAndAgain(t *testing.T) {
	n := New(Config{Seed: 1})
	start := n.Now()
	p := &probe{timer: start.Add(10 * time.Millisecond), every: 20 * time.Millisecond}
	n.Add(HostConfig{Addr: testAddr(0)}, p)
	n.Run(start.Add(50 * time.Millisecond))
	want := []time.Time{start.Add(10 * time.Millisecond), start.Add(30 * time.Millisecond), start.Add(50 * time.Millisecond)}
	if !slices.Equal(p.timeouts, want) {
		t.Errorf("timeouts %v, want %v", p.timeouts, want)
	}
}

func TestTimeoutFollowsWhenItMoves(t *testing.T) {
	for _, c := range []struct{ first, then, want time.Duration }{
		{50, 20, 20}, {20, 50, 50}, {20, 0, -1}, {20, 5, 10}, // moved at 10, when 5 has passed: fires at once
	} {
		n := New(Config{Seed: 1})
		start := n.Now()
		p := &probe{timer: start.Add(c.first)}
		n.Add(HostConfig{Addr: testAddr(0)}, p)
		n.After(10, func() {
			n.Do(testAddr(0), func(time.Time) {
				p.timer = time.Time{}
				if c.then > 0 {
					p.timer = start.Add(c.then)
				}
			})
		})
		n.RunFor(time.Second)
		got := time.Duration(-1)
		if len(p.timeouts) > 0 {
			got = p.timeouts[0].Sub(start)
		}
		if got != c.want || len(p.timeouts) > 1 {
			t.Errorf("timer at %v moved to %v: timeouts %v, want %v", c.first, c.then, p.timeouts, c.want)
		}
	}
}

func TestTimersLeaveNothingBehind(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 3)
	for i := range 1000 {
		for j := range p {
			n.Do(testAddr(j), func(now time.Time) { p[j].timer = now.Add(time.Duration(1+(i*7919)%1000) * time.Millisecond) })
		}
		n.RunFor(time.Duration(i%3) * time.Millisecond)
	}
	if len(n.wakes.heap) > len(p) || len(n.queue.heap) > 0 {
		t.Errorf("%d timers and %d events pending for %d hosts", len(n.wakes.heap), len(n.queue.heap), len(p))
	}
}

// A stuck host wants a timeout that is already due, or one that is always a nanosecond away.
type stuck struct {
	probe
	ahead time.Duration
}

func (s *stuck) HandleTimeout(now time.Time) { s.timer = now.Add(s.ahead) }

func TestHostThatDoesNotMoveItsTimeoutIsNamed(t *testing.T) {
	for _, ahead := range []time.Duration{0, -time.Second, 1} {
		n := New(Config{Seed: 77})
		h := &stuck{ahead: ahead}
		h.timer = n.Now()
		message := mustPanic(t, func() {
			n.Add(HostConfig{Addr: testAddr(0), Name: "old faithful"}, h)
			n.RunFor(time.Second)
		})
		if !strings.Contains(message, "old faithful") || !strings.Contains(message, "77") {
			t.Errorf("the panic says neither host nor seed: %s", message)
		}
	}
}

func TestDatagramIsSpoiledAfterTheHostHadIt(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 2)
	var kept []byte
	p[1].onData = func(_ time.Time, _ wire.Path, b []byte) {
		if cap(b) != len(b) {
			t.Errorf("capacity %d beyond length %d", cap(b), len(b))
		}
		kept = b
	}
	send(n, p[0], testAddr(0), testAddr(1), 1, 3000)
	n.RunFor(time.Second)
	if len(kept) != 3000 || slices.ContainsFunc(kept, func(b byte) bool { return b != 0xdb }) {
		t.Error("a kept datagram still holds its bytes")
	}
}

func TestHostMayOverwriteItsCopyOfADuplicate(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Duplicate: 1}})
	p := addProbes(n, 2)
	p[1].onData = func(_ time.Time, _ wire.Path, b []byte) { clear(b) }
	n.Do(testAddr(0), func(time.Time) { p[0].queue(testAddr(1), 42, 100) })
	n.RunFor(time.Second)
	if !slices.Equal(ids(p[1].got), []uint64{42, 42}) {
		t.Errorf("got %v", ids(p[1].got))
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	n, hosts := newFlood(Config{Seed: 1, Link: Link{Jitter: Exponential(20*time.Millisecond, 0)}}, 50, 256)
	id := uint64(0)
	f := func(time.Time) { hosts[0].broadcast(id) }
	round := func() {
		id++
		n.Do(testAddr(0), f)
		n.RunFor(time.Second)
	}
	for range 10 {
		round()
	}
	if allocs := testing.AllocsPerRun(20, round); allocs > 1 {
		t.Errorf("%v allocations for each round of 450 datagrams", allocs)
	}
}

func TestHostsOutOfPlaceAreRefused(t *testing.T) {
	n := New(Config{Seed: 1})
	addProbes(n, 1)
	for name, f := range map[string]func(){
		"same address": func() { n.Add(HostConfig{Addr: testAddr(0)}, &probe{}) },
		"no address":   func() { n.Add(HostConfig{}, &probe{}) },
		"no host":      func() { n.Add(HostConfig{Addr: testAddr(5)}, nil) },
		"unknown":      func() { n.Crash(testAddr(9)) },
		"still up":     func() { n.Restart(testAddr(0), &probe{}) },
		"loss of 2":    func() { n.SetDefaultLink(Link{Loss: 2}) },
		"negative":     func() { n.SetDefaultLink(Link{Latency: Exponential(1, 2)}) },
		"share of 2":   func() { n.SetLoad(testAddr(0), Load{Share: 2}) },
	} {
		t.Run(name, func(t *testing.T) { mustPanic(t, f) })
	}
}
