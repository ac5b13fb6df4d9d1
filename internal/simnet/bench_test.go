package simnet

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A flooder forwards each message to its neighbors when it first receives it. It re-arms a timer at every datagram,
// as a node with heartbeats does.
type flooder struct {
	peers   []netip.AddrPort
	seen    uint64 // newest message
	heard   int
	next    time.Time
	pending bool
	from    netip.AddrPort
	buf     []byte
}

func (f *flooder) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	f.next = now.Add(time.Second)
	id := binary.BigEndian.Uint64(b)
	if id <= f.seen {
		return
	}
	f.seen, f.pending, f.from = id, true, from.Remote
	f.heard++
	copy(f.buf, b)
}

func (f *flooder) HandleTimeout(now time.Time) { f.next = now.Add(time.Second) }
func (f *flooder) NextTimeout() time.Time      { return f.next }

func (f *flooder) Drain(_ time.Time, send func(to wire.Path, b []byte)) {
	if !f.pending {
		return
	}
	f.pending = false
	for _, p := range f.peers {
		if p != f.from {
			send(wire.Path{Remote: p}, f.buf)
		}
	}
}

func testAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 6969)
}

// newFlood returns a cluster in which each node chooses five links, which are used in both directions.
func newFlood(cfg Config, nodes, size int) (*Network, []*flooder) {
	n := New(cfg)
	r := rand.New(rand.NewPCG(cfg.Seed, 7))
	hosts := make([]*flooder, nodes)
	for i := range hosts {
		hosts[i] = &flooder{buf: make([]byte, size)}
	}
	for i := range hosts {
		for range 5 {
			if j := r.IntN(nodes); j != i {
				hosts[i].peers = append(hosts[i].peers, testAddr(j))
				hosts[j].peers = append(hosts[j].peers, testAddr(i))
			}
		}
	}
	for i, h := range hosts {
		n.Add(HostConfig{Addr: testAddr(i), Zone: fmt.Sprint(i % 3)}, h)
	}
	return n, hosts
}

func (f *flooder) broadcast(id uint64) {
	f.seen, f.pending, f.from = id, true, netip.AddrPort{}
	binary.BigEndian.PutUint64(f.buf, id)
}

// BenchmarkFlood measures the cost of the network per datagram, with hosts that cost almost nothing.
func BenchmarkFlood(b *testing.B) {
	benchmarkFlood(b, "nodes=1000", 1000, 256, Link{Jitter: Exponential(20*time.Millisecond, 0), Loss: 0.05})
	benchmarkFlood(b, "nodes=1000,steady", 1000, 256, Link{Latency: Exponential(20*time.Millisecond, 0)})
	benchmarkFlood(b, "nodes=1000,rate", 1000, 1400, Link{Latency: Constant(20 * time.Millisecond), Rate: Gbit, Queue: 256 << 10})
	benchmarkFlood(b, "nodes=10000", 10000, 256, Link{Jitter: Exponential(20*time.Millisecond, 0)})
}

func benchmarkFlood(b *testing.B, name string, nodes, size int, link Link) {
	b.Run(name, func(b *testing.B) {
		n, hosts := newFlood(Config{Seed: 1, Link: link}, nodes, size)
		id := uint64(0)
		round := func() {
			id++
			n.Do(testAddr(int(id)%nodes), func(time.Time) { hosts[int(id)%nodes].broadcast(id) })
			n.RunFor(time.Second)
		}
		round()
		before, events := n.Stats(), n.Events()
		b.ReportAllocs()
		for b.Loop() {
			round()
		}
		sent := float64(n.Stats().Sent - before.Sent)
		b.ReportMetric(sent/b.Elapsed().Seconds(), "datagrams/s")
		b.ReportMetric(float64(n.Events()-events)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/sent, "ns/datagram")
	})
}

// BenchmarkManyOnTheirWay measures the queue with a million datagrams in flight.
func BenchmarkManyOnTheirWay(b *testing.B) {
	n := New(Config{Seed: 1, Link: Link{Jitter: Uniform(0, time.Second)}})
	for i := range 1000 {
		n.Add(HostConfig{Addr: testAddr(i)}, &echo{})
	}
	for i := range 1_000_000 {
		n.Inject(testAddr((i*7+1)%1000), testAddr(i%1000), make([]byte, 64))
	}
	b.ReportAllocs()
	for b.Loop() {
		n.Step()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "datagrams/s")
}

// An echo returns each datagram to its sender.
type echo struct {
	buf [64]byte
	to  wire.Path
	any bool
}

func (e *echo) HandleDatagram(_ time.Time, from wire.Path, b []byte) {
	e.to, e.any = from, true
	copy(e.buf[:], b)
}
func (e *echo) HandleTimeout(time.Time) {}
func (e *echo) NextTimeout() time.Time  { return time.Time{} }
func (e *echo) Drain(_ time.Time, send func(to wire.Path, b []byte)) {
	if e.any {
		e.any = false
		send(e.to, e.buf[:])
	}
}
