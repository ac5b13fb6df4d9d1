package simnet

import (
	"hash/crc32"
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// sendCurrent takes a datagram from the host that is being drained.
func (n *Network) sendCurrent(to wire.Path, b []byte) {
	h := n.current
	n.transmit(h, n.source(h, to.Local), to.Remote, b, max(n.now, h.busyUntil))
}

// source returns the source address of a host's datagram: its first address, unless the host asks for another one of
// its own.
func (n *Network) source(h *host, local netip.Addr) netip.AddrPort {
	first := n.places[h.place].addr
	if local.IsValid() && local != first.Addr() {
		addr := netip.AddrPortFrom(local.Unmap(), first.Port())
		if i, ok := n.byAddr[addr]; ok && n.places[i].host == h {
			return addr
		}
	}
	return first
}

// Inject sends a datagram from outside of the network. source may be any address, used or not. The conditions of the
// default link apply, and no queue of a host.
func (n *Network) Inject(source, to netip.AddrPort, b []byte) {
	n.transmit(nil, unmap(source), to, b, n.now)
}

// transmit sends a datagram at a moment, which is now or later. sender is nil if the datagram was injected.
func (n *Network) transmit(sender *host, source, remote netip.AddrPort, b []byte, at int64) {
	p := packet{source: source, from: nobody}
	to := nobody
	var known bool
	if p.place, known = n.byAddr[unmap(remote)]; known {
		to = n.places[p.place].ref
	}
	if sender != nil {
		p.from = sender.hostRef
		sender.traffic.Sent++
		sender.traffic.SentBytes += uint64(len(b))
	}
	t := n.links.traffic(p.from, to)
	t.Sent++
	t.SentBytes += uint64(len(b))
	p.sum = crc32.Update(uint32(source.Port()), castagnoli, b)
	n.note(EventSent, LostNone, p.from, to, p.sum)
	if n.trace.hook != nil {
		n.show(EventSent, LostNone, source, remote, b)
	}

	cause := LostNoHost
	var c *Link
	var l *link
	if to != nobody {
		c, l = n.links.conditions(p.from, to)
		at, cause = n.admit(sender, to, c, l, at, len(b))
	}
	if cause != LostNone {
		t.Lost[cause]++
		n.note(EventLost, cause, p.from, to, p.sum)
		if n.trace.hook != nil {
			n.show(EventLost, cause, source, remote, b)
		}
		return
	}
	n.launch(&p, b, n.arrival(p.from, to, c, l, t, at))
	if c.Duplicate > 0 && n.rng.Float64() < c.Duplicate {
		t.Duplicated++
		n.launch(&p, b, n.arrival(p.from, to, c, l, t, at))
	}
}

// admit checks a datagram against everything that can drop it before it leaves, and returns when it departs.
func (n *Network) admit(sender *host, to hostRef, c *Link, l *link, at int64, size int) (int64, Cause) {
	if size > c.MTU {
		return 0, LostTooLong
	}
	ok := true
	if sender != nil && sender.hostRef != to {
		if n.blocks.blocked(sender.hostRef, to) {
			return 0, LostToBlock
		}
		if at, ok = sender.uplink.pass(at, size); !ok {
			return 0, LostInQueue
		}
	}
	if l != nil {
		l.pipe.set(c.Rate, c.Queue)
		if at, ok = l.pipe.pass(at, size); !ok {
			return 0, LostInQueue
		}
	}
	if c.Pipe != nil {
		if at, ok = c.Pipe.pass(at, size); !ok {
			return 0, LostInQueue
		}
	}
	if c.Loss > 0 && n.rng.Float64() < c.Loss {
		return 0, LostOnLink
	}
	return at, LostNone
}

// arrival draws when a datagram that departs at a moment arrives.
func (n *Network) arrival(from, to hostRef, c *Link, l *link, t *Traffic, at int64) int64 {
	at += n.links.latency(c.Latency, from, to) + c.Jitter.draw(n.rng)
	if c.Reorder > 0 && n.rng.Float64() < c.Reorder {
		t.Reordered++
		return at + c.ReorderDelay.draw(n.rng)
	}
	if c.Ordered && l != nil {
		at = max(at, l.last)
		l.last = at
	}
	return at
}

// launch puts a packet with a copy of b in flight.
func (n *Network) launch(p *packet, b []byte, at int64) {
	n.queue.push(at, n.packets.add(p, b), p.place)
}

// lose removes a packet that did not reach its host.
func (n *Network) lose(i int32, cause Cause) {
	p := &n.packets.all[i]
	place := &n.places[p.place]
	n.links.traffic(p.from, place.ref).Lost[cause]++
	n.note(EventLost, cause, p.from, place.ref, p.sum)
	if n.trace.hook != nil {
		n.show(EventLost, cause, p.source, place.addr, p.buf)
	}
	n.packets.remove(i)
}
