package handshake

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// epoch is the time at which every test begins.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// A world is a network in virtual time, with one event heap and one seed, so every run has the same trace.
type world struct {
	t      testing.TB
	now    time.Time
	rng    *rand.Rand
	queue  eventHeap
	order  int
	hosts  map[netip.AddrPort]receiver
	alarms map[receiver]time.Time // when each receiver must be called next
	list   []receiver
	log    []datagram // all sent datagrams, if recorded
	keep   bool
	limit  int                    // steps
	filter func(d *datagram) bool // returns false to lose the datagram

	delay  func() time.Duration
	loss   float64
	double float64
}

// A receiver handles the datagrams of an address.
type receiver interface {
	at() netip.AddrPort
	receive(d datagram)
	timeout()
	nextTimeout() time.Time
}

type datagram struct {
	at       time.Time // when it was sent
	from, to netip.AddrPort
	bytes    []byte
}

type event struct {
	at    time.Time
	order int
	do    func()
}

type eventHeap []event

func (h eventHeap) Len() int      { return len(h) }
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	x := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return x
}
func (h eventHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, now: epoch, rng: rand.New(rand.NewPCG(seed, 1)), hosts: make(map[netip.AddrPort]receiver), alarms: make(map[receiver]time.Time), limit: 5_000_000}
	w.delay = func() time.Duration { return 5 * time.Millisecond }
	return w
}

// reorder varies the latency, so that datagrams overtake each other.
func (w *world) reorder(mean time.Duration) {
	w.delay = func() time.Duration { return time.Duration(w.rng.ExpFloat64() * float64(mean)) }
}

func (w *world) add(r receiver) {
	w.hosts[r.at()] = r
	w.list = append(w.list, r)
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.queue, event{w.now.Add(d), w.order, do})
}

func (w *world) send(from, to netip.AddrPort, b []byte) {
	d := datagram{w.now, from, to, append([]byte(nil), b...)}
	if w.keep {
		w.log = append(w.log, d)
	}
	if w.filter != nil && !w.filter(&d) || w.rng.Float64() < w.loss {
		return
	}
	copies := 1
	if w.rng.Float64() < w.double {
		copies = 2
	}
	for range copies {
		w.after(w.delay(), func() { w.deliver(d) })
	}
}

// deliver passes a copy, because receivers may overwrite it.
func (w *world) deliver(d datagram) {
	if r := w.hosts[d.to]; r != nil {
		d.bytes = append([]byte(nil), d.bytes...)
		r.receive(d)
		w.wake(r)
	}
}

// wake schedules the receiver's next timeout.
func (w *world) wake(r receiver) {
	next := r.nextTimeout()
	if at, ok := w.alarms[r]; next.IsZero() || ok && !next.Before(at) {
		return
	}
	w.alarms[r] = next
	w.after(max(next.Sub(w.now), 0), func() {
		if !w.alarms[r].Equal(next) {
			return
		}
		delete(w.alarms, r)
		if due := r.nextTimeout(); !due.IsZero() && !due.After(w.now) {
			r.timeout()
			if due = r.nextTimeout(); !due.IsZero() && !due.After(w.now) {
				w.t.Fatal("after HandleTimeout, NextTimeout is not later")
			}
		}
		w.wake(r)
	})
}

// run advances the world by d.
func (w *world) run(d time.Duration) { w.runUntil(d, func() bool { return false }) }

// runUntil advances the world by at most d, or until done returns true.
func (w *world) runUntil(d time.Duration, done func() bool) bool {
	w.t.Helper()
	for _, r := range w.list {
		w.wake(r)
	}
	end := w.now.Add(d)
	for len(w.queue) > 0 && !w.queue[0].at.After(end) {
		if done() {
			return true
		}
		if w.limit--; w.limit < 0 {
			w.t.Fatal("too many steps")
		}
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	if done() {
		return true
	}
	w.now = end
	return false
}

// A seeded is a reproducible source of randomness.
type seeded struct{ *rand.Rand }

func newSeeded(seed uint64) seeded { return seeded{rand.New(rand.NewPCG(seed, 7))} }

func (s seeded) Read(b []byte) (int, error) {
	var word [8]byte
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(word[:], s.Uint64())
		copy(b[i:], word[:])
	}
	return len(b), nil
}

// goID returns the version-8 id of node n.
func goID(n int) wire.NodeID { return selfOf(n, nodeid.X25519).Node }

// selfOf returns node n with the secret of its id.
func selfOf(n int, agreement nodeid.Agreement) *Self {
	s := new(Self)
	var err error
	if s.Node, s.Secret, err = nodeid.New(newSeeded(uint64(n)<<32), agreement); err != nil {
		panic(err) // the source does not end
	}
	return s
}

// legacyID returns the version-4 id of node n.
func legacyID(n int) (id wire.NodeID) {
	binary.BigEndian.PutUint32(id[:], uint32(n)*2654435761)
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	id[6], id[8] = 0x40, 0x80
	return id
}

// address returns 10.x.y.z:6969 of host n.
func address(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 6969)
}
