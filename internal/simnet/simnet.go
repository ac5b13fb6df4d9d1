// Package simnet is a simulated datagram network. It drives sans-IO hosts in virtual time on an
// event heap: latency, loss, duplication, reordering, bandwidth, partitions, crashes, slow hosts and
// wrong clocks, all drawn from one seed. The same seed, hosts and calls give the same trace, which
// TraceHash condenses into one number.
//
// A Network is one thread: it starts no goroutine, takes no lock and reads no clock, and so may
// not be shared between goroutines. Hosts, scheduled functions and trace hooks run inside Run and may
// call any method of the Network but Run, RunFor, RunUntil and Step.
//
// The package is a tool for tests and for capacity planning: wrong use panics, with the name of
// the host concerned.
package simnet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Host is what the network drives, shaped like the core: inputs with the time, then Drain, then
// NextTimeout. The network calls Drain and NextTimeout after each input.
type Host interface {
	// HandleDatagram takes one datagram. b is the host's to overwrite until it returns; after that
	// the network fills it with rubbish and uses it again.
	HandleDatagram(now time.Time, from wire.Path, b []byte)
	// HandleTimeout does what is due. After it NextTimeout must be zero or later than now.
	HandleTimeout(now time.Time)
	// NextTimeout is when HandleTimeout wants to be called; zero: not at all. A time at or before
	// now means at once.
	NextTimeout() time.Time
	// Drain hands over the datagrams waiting to be sent. send copies b.
	Drain(now time.Time, send func(to wire.Path, b []byte))
}

// Config is what a network starts with.
type Config struct {
	Seed  uint64
	Start time.Time   // wall-clock time at the start; zero: 2026-01-01 UTC
	Link  Link        // between hosts for which neither SetZoneLink nor SetLink says otherwise
	Trace func(Event) // called with every event unless nil
}

// HostConfig places a host in the network.
type HostConfig struct {
	Addr netip.AddrPort
	Name string // for panics; default Addr
	Zone string

	// Uplink is what the host can send in sum, on top of each link's own rate; zero: no limit.
	Uplink Rate
	// UplinkQueue is the bytes that wait for the uplink before further ones are dropped; zero: no limit.
	UplinkQueue int
	// SocketBuffer is the bytes that wait for a slow or paused host; zero: 4 MiB.
	SocketBuffer int
	// Load is how much of the machine the host's loop gets.
	Load Load
	// ClockOffset is the host's wall clock less the network's.
	ClockOffset time.Duration
}

// never is a point in virtual time that is not reached.
const never = math.MaxInt64

// A Network is a set of hosts and the links between them. Times inside are nanoseconds since start.
type Network struct {
	seed  uint64
	now   int64
	clock time.Time // network time at start, with a monotonic reading of zero
	stop  bool

	pcg      rand.PCG
	rng      *rand.Rand // draws from pcg
	pairPCG  rand.PCG   // seeded anew for each draw that belongs to a pair of hosts
	pairRand *rand.Rand

	queue   queue // datagrams on their way, and actions
	wakes   wakes // hosts by when they next run by themselves
	packets packets
	actions actions

	hosts  []*host
	places []place                  // every address there ever was
	byAddr map[netip.AddrPort]int32 // index into places
	zones  zones
	links  map[uint64]*link // state of directed pairs that have some, by linkKey

	linkList []*link // the same, in the order they came to be
	special  int     // links with conditions of their own
	blocks   []*Block

	current *host // whose datagrams send takes
	send    func(to wire.Path, b []byte)

	trace trace
	stray Traffic // datagrams that belong to no pair of zones
}

// A place is an address and who has it.
type place struct {
	addr netip.AddrPort
	host *host // nil since the host moved away
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
		links:  make(map[uint64]*link),
		trace:  trace{hook: cfg.Trace},
	}
	n.zones.fallback = cfg.Link
	n.pcg.Seed(scramble(cfg.Seed), scramble(cfg.Seed+1))
	n.rng = rand.New(&n.pcg)
	n.pairRand = rand.New(&n.pairPCG)
	n.send = n.sendCurrent
	return n
}

// Seed is the seed the network was made with.
func (n *Network) Seed() uint64 { return n.seed }

// Reader returns a source of random bytes that depends on the network's seed and stream alone, for a
// host to draw its keys and ids from.
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

// scramble is splitmix64's finalizer: near seeds give unrelated values.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Now is the network's time, which every wall clock shows that has no offset.
func (n *Network) Now() time.Time { return n.clock.Add(time.Duration(n.now)) }

// Elapsed is the virtual time since the start.
func (n *Network) Elapsed() time.Duration { return time.Duration(n.now) }

// Add places a host in the network. The host may have datagrams to send and a timeout already.
func (n *Network) Add(cfg HostConfig, impl Host) {
	h := newHost(int32(len(n.hosts)), n, cfg)
	n.hosts = append(n.hosts, h)
	h.place = n.occupy(cfg.Addr, h)
	n.start(h, impl)
}

// occupy gives an address to a host and returns its place.
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

// unmap turns an IPv4 address in its IPv6 form into the IPv4 address, as a socket would.
func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}

// host returns the host at an address, up or down.
func (n *Network) host(addr netip.AddrPort) *host {
	if i, ok := n.byAddr[unmap(addr)]; ok && n.places[i].host != nil {
		return n.places[i].host
	}
	panic(fmt.Sprintf("simnet: no host at %v", addr))
}

func (n *Network) ref(addr netip.AddrPort) hostRef { return n.host(addr).hostRef }

// Hosts returns the first addresses of all hosts, up or down, in the order they were added.
func (n *Network) Hosts() []netip.AddrPort {
	addrs := make([]netip.AddrPort, len(n.hosts))
	for i, h := range n.hosts {
		addrs[i] = n.places[h.place].addr
	}
	return addrs
}

// ZoneHosts returns the hosts of a zone, in the order they were added.
func (n *Network) ZoneHosts(zone string) []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, h := range n.hosts {
		if n.zones.names[h.zone] == zone {
			addrs = append(addrs, n.places[h.place].addr)
		}
	}
	return addrs
}
