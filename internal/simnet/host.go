package simnet

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Host is a sans-IO state machine driven by the network, with the interface of the core: each input carries the
// time, and after each input the network calls Drain and then NextTimeout.
type Host interface {
	// HandleDatagram takes one datagram. The host may overwrite b until it returns. After that the network fills b
	// with garbage and reuses it.
	HandleDatagram(now time.Time, from wire.Path, b []byte)
	// HandleTimeout runs what is due. After it returns, NextTimeout must be zero or later than now.
	HandleTimeout(now time.Time)
	// NextTimeout returns when HandleTimeout is to be called. Zero means never. A time at or before now means
	// immediately.
	NextTimeout() time.Time
	// Drain passes each datagram that waits to be sent to send, which copies b.
	Drain(now time.Time, send func(to wire.Path, b []byte))
}

// HostConfig configures a host of the network.
type HostConfig struct {
	Addr netip.AddrPort
	Name string // shown in panics; default: Addr
	Zone string

	// Uplink limits what the host sends in total, in addition to each link's own rate. Zero means no limit.
	Uplink Rate
	// UplinkQueue is the number of bytes that may wait for the uplink; further datagrams are dropped. Zero: no limit.
	UplinkQueue int
	// SocketBuffer is the number of bytes that may wait for a slow or paused host. Zero means 4 MiB.
	SocketBuffer int
	// Load limits the running time of the host's loop.
	Load Load
	// ClockOffset is the host's wall clock minus the network's time.
	ClockOffset time.Duration
}

// A host is a machine: an address, clocks, and the Host that runs on it unless it has crashed. The fields that every
// datagram touches come first, so that they share few cache lines.
type host struct {
	hostRef
	impl  Host      // nil: crashed
	clock time.Time // the host's time when the network started: see clockAt
	want  int64     // the NextTimeout of impl

	wakeAt int64 // in Network.wakes: when to check whether the host can run; may be too early
	slot   int32 // index in Network.wakes; -1: none

	first, last int32     // the socket buffer, a linked list of packets; -1: empty
	place       int32     // the first address, an index into Network.places
	throttle    *throttle // nil: the loop needs no running time
	busyUntil   int64     // when the throttled loop finishes its current input
	paused      bool

	traffic HostTraffic
	uplink  Pipe

	waiting  int // bytes in the socket buffer
	capacity int // in bytes; upper bound of waiting

	lives    int   // how many Hosts have run here
	spinFrom int64 // the millisecond in which timeouts are counted
	spins    int
	name     string
}

// spinLimit is the number of timeouts within a virtual millisecond at which countSpin reports an endless loop.
const spinLimit = 20_000

// newHost returns a host that is down. clock is the network's time when it started; seed is the network's seed.
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

// setOffset sets the wall clock to network plus offset, where network is the network's time when it started.
func (h *host) setOffset(network time.Time, offset time.Duration) {
	h.clock = clockAt(network.Round(0).Add(offset))
}

// time returns what the host's clocks show at a moment of the network's time.
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

// ready returns when the host can take its next input. The result may be in the past.
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

// countSpin panics if the Host's timeouts are always later than now, but only by very little.
func (h *host) countSpin(now int64, seed uint64) {
	if ms := now / int64(time.Millisecond); ms != h.spinFrom {
		h.spinFrom, h.spins = ms, 0
	}
	if h.spins++; h.spins > spinLimit {
		panic(fmt.Sprintf("simnet: host %q (seed %d, %v after the start): more than %d timeouts in a millisecond",
			h.name, seed, time.Duration(now), spinLimit))
	}
}
