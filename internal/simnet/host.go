package simnet

import (
	"fmt"
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

// A host is a machine: an address, clocks, and a Host that runs on it unless it has crashed. What
// every datagram touches comes first, to lie in few cache lines.
type host struct {
	hostRef
	impl  Host      // nil: crashed
	clock time.Time // its time at the network's start: see clockAt
	want  int64     // the impl's NextTimeout

	wakeAt int64 // in Network.wakes: when to look whether the host can run; may be too early
	slot   int32 // its place in Network.wakes; -1: none

	first, last int32     // the socket buffer, a list of packets; -1: empty
	place       int32     // its first address, an index into Network.places
	throttle    *throttle // nil: the loop needs no time
	busyUntil   int64     // when the throttled loop has done what it was given
	paused      bool

	traffic HostTraffic
	uplink  Pipe

	waiting  int // bytes in the socket buffer
	capacity int // bytes; upper bound of waiting

	lives    int   // how often a Host was put here
	spinFrom int64 // the millisecond in which timeouts are being counted
	spins    int
	name     string
}

// spinLimit is how many timeouts in a virtual millisecond are taken for a host that cannot stop.
const spinLimit = 20_000

// newHost makes a host that is down. clock is the network's time at its start, seed the network's.
func newHost(ref hostRef, seed uint64, clock time.Time, cfg HostConfig) *host {
	if cfg.Name == "" {
		cfg.Name = cfg.Addr.String()
	}
	if cfg.SocketBuffer == 0 {
		cfg.SocketBuffer = 4 << 20
	}
	if cfg.Uplink < 0 || cfg.UplinkQueue < 0 || cfg.SocketBuffer < 0 {
		panic(fmt.Sprintf("simnet: host %q: negative limit", cfg.Name))
	}
	h := &host{
		hostRef:  ref,
		name:     cfg.Name,
		throttle: cfg.Load.throttle(scramble(seed ^ uint64(ref.index))),
		capacity: cfg.SocketBuffer,
		want:     never,
		slot:     -1,
		first:    -1,
		last:     -1,
	}
	h.uplink.set(cfg.Uplink, cfg.UplinkQueue)
	h.setOffset(clock, cfg.ClockOffset)
	return h
}

// setOffset sets the wall clock to that of the network plus offset. network is the network's time at its start.
func (h *host) setOffset(network time.Time, offset time.Duration) {
	h.clock = clockAt(network.Round(0).Add(offset))
}

// time is what the host's clocks show at a moment of the network's time.
func (h *host) time(at int64) time.Time { return h.clock.Add(time.Duration(at)) }

func (h *host) enqueue(all []packet, now int64, i int32) {
	p := &all[i]
	p.at, p.next = now, -1
	if h.first < 0 {
		h.first = i
	} else {
		all[h.last].next = i
	}
	h.last = i
	h.waiting += len(p.buf)
}

func (h *host) dequeue(all []packet) int32 {
	i := h.first
	p := &all[i]
	h.first = p.next
	h.waiting -= len(p.buf)
	return i
}

// ready is when the host can take its next input, be it now or in the past.
func (h *host) ready(all []packet, now int64) int64 {
	at := h.want
	if h.first >= 0 {
		at = min(at, all[h.first].at)
	}
	if at == never || h.paused {
		return never
	}
	if h.throttle != nil {
		at = h.throttle.runs(max(at, h.busyUntil, now))
	}
	return max(at, now)
}

// countSpin finds a Host whose timeouts are later than now, but never by much.
func (h *host) countSpin(now int64, seed uint64) {
	if ms := now / int64(time.Millisecond); ms != h.spinFrom {
		h.spinFrom, h.spins = ms, 0
	}
	if h.spins++; h.spins > spinLimit {
		panic(fmt.Sprintf("simnet: host %q (seed %d, %v after the start): more than %d timeouts in a millisecond",
			h.name, seed, time.Duration(now), spinLimit))
	}
}
