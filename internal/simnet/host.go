package simnet

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A hostRef is what most of the network needs to know of a host, and so need not fetch the host for.
type hostRef struct {
	index int32 // into Network.hosts; -1: nobody
	zone  int32 // into zones.names
}

var nobody = hostRef{-1, -1}

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

func newHost(index int32, n *Network, cfg HostConfig) *host {
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
		hostRef:  hostRef{index, n.zones.index(cfg.Zone)},
		name:     cfg.Name,
		throttle: cfg.Load.throttle(scramble(n.seed ^ uint64(index))),
		capacity: cfg.SocketBuffer,
		want:     never,
		slot:     -1,
		first:    -1,
		last:     -1,
	}
	h.uplink.set(cfg.Uplink, cfg.UplinkQueue)
	h.setOffset(n, cfg.ClockOffset)
	return h
}

// arrive brings a packet to a host's socket.
func (n *Network) arrive(i, place int32) {
	p := &n.packets.all[i]
	h := n.places[place].host
	switch {
	case h == nil || h.impl == nil:
		n.lose(i, LostNoHost)
	case h.throttle == nil && !h.paused && h.first < 0:
		n.deliver(h, i)
	case h.waiting+len(p.buf) > h.capacity:
		n.lose(i, LostAtSocket)
	default:
		h.enqueue(n, i)
		n.schedule(h)
	}
}

func (h *host) enqueue(n *Network, i int32) {
	p := &n.packets.all[i]
	p.at, p.next = n.now, -1
	if h.first < 0 {
		h.first = i
	} else {
		n.packets.all[h.last].next = i
	}
	h.last = i
	h.waiting += len(p.buf)
}

func (h *host) dequeue(n *Network) int32 {
	i := h.first
	p := &n.packets.all[i]
	h.first = p.next
	h.waiting -= len(p.buf)
	return i
}

// deliver hands a packet to the Host.
func (n *Network) deliver(h *host, i int32) {
	p := n.packets.all[i] // a copy: the Host may send, and so move the packets
	n.note(EventDelivered, LostNone, p.from, h.hostRef, p.sum)
	local := n.places[p.place].addr
	if n.trace.hook != nil {
		n.show(EventDelivered, LostNone, p.source, local, p.buf)
	}
	size := uint64(len(p.buf))
	t := n.traffic(p.from, h.hostRef)
	t.Delivered++
	t.DeliveredBytes += size
	h.traffic.Received++
	h.traffic.ReceivedBytes += size

	b := p.buf[:len(p.buf):len(p.buf)]
	h.impl.HandleDatagram(h.time(n.now), wire.Path{Remote: p.source, Local: local.Addr()}, b)
	spoil(b)
	n.packets.remove(i)
	n.settle(h)
}

// timeout calls HandleTimeout and holds the Host to its contract.
func (n *Network) timeout(h *host) {
	n.note(EventTimeout, LostNone, nobody, h.hostRef, 0)
	if n.trace.hook != nil {
		n.show(EventTimeout, LostNone, netip.AddrPort{}, n.places[h.place].addr, nil)
	}
	h.traffic.Timeouts++
	h.countSpin(n)
	life := h.lives
	h.impl.HandleTimeout(h.time(n.now))
	n.settle(h)
	if h.lives == life && h.impl != nil && h.want <= n.now {
		panic(fmt.Sprintf("simnet: host %q (seed %d, %v after the start): NextTimeout is %v after HandleTimeout, which is not later than now",
			h.name, n.seed, n.Elapsed(), time.Duration(h.want)))
	}
}

// countSpin finds a Host whose timeouts are later than now, but never by much.
func (h *host) countSpin(n *Network) {
	if ms := n.now / int64(time.Millisecond); ms != h.spinFrom {
		h.spinFrom, h.spins = ms, 0
	}
	if h.spins++; h.spins > spinLimit {
		panic(fmt.Sprintf("simnet: host %q (seed %d, %v after the start): more than %d timeouts in a millisecond",
			h.name, n.seed, n.Elapsed(), spinLimit))
	}
}

// settle takes what a Host wants to send after an input, and when it wants to run again.
func (n *Network) settle(h *host) {
	if h.impl == nil {
		return // it crashed itself
	}
	outer := n.current
	n.current = h
	h.impl.Drain(h.time(n.now), n.send)
	n.current = outer
	if h.impl == nil {
		return
	}
	h.want = never
	if t := h.impl.NextTimeout(); !t.IsZero() {
		h.want = int64(t.Sub(h.clock))
	}
	n.schedule(h)
}

// ready is when the host can take its next input, be it now or in the past.
func (h *host) ready(n *Network) int64 {
	at := h.want
	if h.first >= 0 {
		at = min(at, n.packets.all[h.first].at)
	}
	if at == never || h.paused {
		return never
	}
	if h.throttle != nil {
		at = h.throttle.runs(max(at, h.busyUntil, n.now))
	}
	return max(at, n.now)
}

// schedule sees to it that the host is woken in time. One that is woken too early does no
// harm, so a timeout that moves away, as most do, costs nothing.
func (n *Network) schedule(h *host) {
	if at := h.ready(n); at != never && (h.slot < 0 || at < h.wakeAt) {
		n.wakes.set(h, at)
	}
}

// wake lets the first host of the heap take its next input, if it can now. It reports whether it
// could.
func (n *Network) wake() bool {
	h := n.wakes.heap[0]
	if at := h.ready(n); at > n.now {
		n.wakes.set(h, at)
		return false
	}
	n.wakes.remove(h)
	if h.throttle != nil {
		h.busyUntil = h.throttle.done(n.now)
	}
	if h.first >= 0 && (h.want > n.now || n.packets.all[h.first].at <= h.want) {
		n.deliver(h, h.dequeue(n))
	} else {
		n.timeout(h)
	}
	return true
}
