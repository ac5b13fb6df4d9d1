package simnet

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// arrive handles a packet that reaches a host's socket.
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
		h.enqueue(n.packets.all, n.now, i)
		n.schedule(h)
	}
}

// deliver passes a packet to the Host.
func (n *Network) deliver(h *host, i int32) {
	p := n.packets.all[i] // a copy: the Host may send, which may move the packets in memory
	n.note(EventDelivered, LostNone, p.from, h.hostRef, p.sum)
	local := n.places[p.place].addr
	if n.trace.hook != nil {
		n.show(EventDelivered, LostNone, p.source, local, p.buf)
	}
	size := uint64(len(p.buf))
	t := n.links.traffic(p.from, h.hostRef)
	t.Delivered++
	t.DeliveredBytes += size
	h.traffic.Received++
	h.traffic.ReceivedBytes += size

	b := p.buf[:len(p.buf):len(p.buf)]
	h.impl.HandleDatagram(h.time(n.now), wire.Path{Remote: p.source, Local: local.Addr()}, b)
	spoil(b)
	n.packets.remove(i)
	n.deliverDue(h)
}

// timeout calls HandleTimeout and panics if the Host then breaks the contract of NextTimeout.
func (n *Network) timeout(h *host) {
	n.note(EventTimeout, LostNone, nobody, h.hostRef, 0)
	if n.trace.hook != nil {
		n.show(EventTimeout, LostNone, netip.AddrPort{}, n.places[h.place].addr, nil)
	}
	h.traffic.Timeouts++
	h.countSpin(n.now, n.seed)
	life := h.lives
	h.impl.HandleTimeout(h.time(n.now))
	n.deliverDue(h)
	if h.lives == life && h.impl != nil && h.want <= n.now {
		panic(fmt.Sprintf("simnet: host %q (seed %d, %v after the start): NextTimeout is %v after HandleTimeout, which is not later than now",
			h.name, n.seed, n.Elapsed(), time.Duration(h.want)))
	}
}

// deliverDue drains a Host after an input and reads its next timeout.
func (n *Network) deliverDue(h *host) {
	if h.impl == nil {
		return // the host crashed itself
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

// schedule makes sure that the host is woken in time. A wake-up that is too early does no harm, so a timeout that
// moves into the future, as most do, costs nothing.
func (n *Network) schedule(h *host) {
	if at := h.ready(n.packets.all, n.now); at != never && (h.slot < 0 || at < h.wakeAt) {
		n.wakes.set(h, at)
	}
}

// wake lets the first host of the heap take its next input if the host can run now. It reports whether it could.
func (n *Network) wake() bool {
	h := n.wakes.heap[0]
	if at := h.ready(n.packets.all, n.now); at > n.now {
		n.wakes.set(h, at)
		return false
	}
	n.wakes.remove(h)
	if h.throttle != nil {
		h.busyUntil = h.throttle.done(n.now)
	}
	if h.first >= 0 && (h.want > n.now || n.packets.all[h.first].at <= h.want) {
		n.deliver(h, h.dequeue(n.packets.all))
	} else {
		n.timeout(h)
	}
	return true
}
