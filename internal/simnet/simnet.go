// Package simnet is a simulated datagram network. It drives sans-IO hosts in virtual time on an event heap, with
// latency, loss, duplication, reordering, bandwidth, partitions, crashes, slow hosts and wrong clocks, all drawn from
// one seed. The same seed, hosts and calls give the same trace, which TraceHash condenses into one number.
//
// A Network starts no goroutine, takes no lock and reads no clock, so it is not safe for concurrent use. Hosts,
// scheduled functions and trace hooks run inside Run. They may call any method of the Network except Run, RunFor,
// RunUntil and Step.
//
// The package is a tool for tests and for capacity planning: incorrect use panics with the name of the host
// concerned.
//
// Reading order: simnet.go has the Network; host.go has a machine, and deliver.go handles what reaches it; send.go
// follows a datagram over links.go (conditions and state of each link) and zone.go; run.go and the heaps in queue.go
// and wake.go advance the time. The rest of the API is in life.go, conditions.go, fault.go and stats.go.
package simnet

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config configures a network.
type Config struct {
	Seed  uint64
	Start time.Time   // wall-clock time at the start; zero: 2026-01-01 UTC
	Link  Link        // between hosts for which neither SetZoneLink nor SetLink was called
	Trace func(Event) // called with every event; nil: not called
}

// A Network is a set of hosts and the links between them. Internal times are nanoseconds since the start.
type Network struct {
	seed  uint64
	now   int64
	clock time.Time // network time at start, with a monotonic reading of zero
	stop  bool

	pcg rand.PCG
	rng *rand.Rand // draws from pcg

	queue   queue // datagrams in flight, and actions
	wakes   wakes // hosts, ordered by when they run next without an input
	packets packets
	actions actions

	hosts  []*host
	places []place                  // every address that was ever used
	byAddr map[netip.AddrPort]int32 // index into places
	links  *links
	blocks blocks

	current *host // the host that send takes datagrams from
	send    func(to wire.Path, b []byte)

	trace trace
}

// A place is an address and the host that has it.
type place struct {
	addr netip.AddrPort
	host *host // nil after the host moved away
	ref  hostRef
}

// New returns a network without hosts.
func New(cfg Config) *Network {
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	cfg.Link.check()
	n := &Network{
		seed:   cfg.Seed,
		clock:  clockAt(cfg.Start),
		byAddr: make(map[netip.AddrPort]int32),
		trace:  trace{hook: cfg.Trace},
	}
	n.pcg.Seed(scramble(cfg.Seed), scramble(cfg.Seed+1))
	n.rng = rand.New(&n.pcg)
	n.links = newLinks(cfg.Seed, n.rng, cfg.Link)
	n.send = n.sendCurrent
	return n
}

// Seed returns the seed of the network.
func (n *Network) Seed() uint64 { return n.seed }

// Reader returns a source of random bytes that depends only on the network's seed and on stream. A host draws its
// keys and ids from it.
func (n *Network) Reader(stream uint64) *rand.ChaCha8 {
	var seed [32]byte
	for i := range 4 {
		x := scramble(n.seed ^ scramble(stream+uint64(i)<<56))
		for j := range 8 {
			seed[8*i+j] = byte(x >> (8 * j))
		}
	}
	return rand.NewChaCha8(seed)
}

// Now returns the network's time. Every wall clock without an offset shows it.
func (n *Network) Now() time.Time { return n.clock.Add(time.Duration(n.now)) }

// Elapsed returns the virtual time since the start.
func (n *Network) Elapsed() time.Duration { return time.Duration(n.now) }

// TraceHash returns a hash of every event so far: its time, kind, cause, hosts and a checksum of its bytes. Two runs
// with the same hash were the same. The hash may differ between processor architectures, whose floating-point
// functions round differently.
func (n *Network) TraceHash() uint64 { return n.trace.hash }

// Events returns the number of events so far.
func (n *Network) Events() uint64 { return n.trace.events }

// note adds an event to the trace.
func (n *Network) note(kind EventKind, cause Cause, from, to hostRef, sum uint32) {
	n.trace.note(n.now, kind, cause, from, to, sum)
}

// show passes an event to the trace hook, which must not be nil.
func (n *Network) show(kind EventKind, cause Cause, from, to netip.AddrPort, b []byte) {
	n.trace.hook(Event{At: n.Now(), Kind: kind, Cause: cause, From: from, To: to, Data: b})
}

// occupy assigns an address to a host and returns the index of its place.
func (n *Network) occupy(addr netip.AddrPort, h *host) int32 {
	if !addr.IsValid() || addr.Port() == 0 {
		panic(fmt.Sprintf("simnet: host %q: no address to be reached at: %v", h.name, addr))
	}
	addr = unmap(addr)
	i, known := n.byAddr[addr]
	if !known {
		i = int32(len(n.places))
		n.places = append(n.places, place{addr: addr})
		n.byAddr[addr] = i
	}
	if p := &n.places[i]; p.host == nil {
		p.host, p.ref = h, h.hostRef
	} else if p.host != h {
		panic(fmt.Sprintf("simnet: hosts %q and %q share the address %v", p.host.name, h.name, addr))
	}
	return i
}

// host returns the host at an address, whether it is up or down.
func (n *Network) host(addr netip.AddrPort) *host {
	if i, ok := n.byAddr[unmap(addr)]; ok && n.places[i].host != nil {
		return n.places[i].host
	}
	panic(fmt.Sprintf("simnet: no host at %v", addr))
}

func (n *Network) ref(addr netip.AddrPort) hostRef { return n.host(addr).hostRef }

// Hosts returns the first addresses of all hosts, up or down, in the order in which they were added.
func (n *Network) Hosts() []netip.AddrPort {
	addrs := make([]netip.AddrPort, len(n.hosts))
	for i, h := range n.hosts {
		addrs[i] = n.places[h.place].addr
	}
	return addrs
}

// ZoneHosts returns the first addresses of a zone's hosts, in the order in which they were added.
func (n *Network) ZoneHosts(zone string) []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, h := range n.hosts {
		if n.links.zones.names[h.zone] == zone {
			addrs = append(addrs, n.places[h.place].addr)
		}
	}
	return addrs
}
