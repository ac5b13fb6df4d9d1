package simnet

import (
	"fmt"
	"net/netip"
)

// Add adds a host to the network. The Host may already have datagrams to send and a timeout.
func (n *Network) Add(cfg HostConfig, impl Host) {
	h := newHost(hostRef{int32(len(n.hosts)), n.links.zones.index(cfg.Zone)}, n.seed, n.clock, cfg)
	n.hosts = append(n.hosts, h)
	h.place = n.occupy(cfg.Addr, h)
	n.start(h, impl)
}

// Crash removes the Host at an address from the network. Its timers and the contents of its socket buffer are lost.
// Datagrams in flight to it are lost unless a Host runs there again when they arrive.
func (n *Network) Crash(addr netip.AddrPort) {
	h := n.host(addr)
	if h.impl == nil {
		panic(fmt.Sprintf("simnet: host %q is down already", h.name))
	}
	h.impl, h.want, h.busyUntil = nil, never, 0
	for h.first >= 0 {
		n.lose(h.dequeue(n.packets.all), LostInCrash)
	}
	n.wakes.set(h, never)
	n.noteHost(EventCrashed, h)
}

// Restart puts a new Host at an address whose previous Host has crashed. It ends a pause. The clock and the load of
// the machine stay as they were.
func (n *Network) Restart(addr netip.AddrPort, impl Host) {
	h := n.host(addr)
	if h.impl != nil {
		panic(fmt.Sprintf("simnet: host %q is still up", h.name))
	}
	h.paused = false
	n.start(h, impl)
}

func (n *Network) start(h *host, impl Host) {
	if impl == nil {
		panic(fmt.Sprintf("simnet: host %q is nil", h.name))
	}
	h.impl = impl
	h.lives++
	n.noteHost(EventStarted, h)
	n.deliverDue(h)
}

// Up reports whether a Host runs at an address.
func (n *Network) Up(addr netip.AddrPort) bool { return n.host(addr).impl != nil }

// Alias gives the host at addr a further address. The host can send from it only if the port is the same.
func (n *Network) Alias(addr, further netip.AddrPort) { n.occupy(further, n.host(addr)) }

// Rebind moves the host at an address to another one, as a NAT or a change of network does. Its datagrams then come
// from the new address, and datagrams to the old address are lost. The Host gets no notice.
func (n *Network) Rebind(addr, to netip.AddrPort) {
	h := n.host(addr)
	moved := n.occupy(to, h)
	old := n.byAddr[unmap(addr)]
	if moved == old {
		return
	}
	n.places[old].host, n.places[old].ref = nil, nobody
	if h.place == old {
		h.place = moved
	}
}

func (n *Network) noteHost(kind EventKind, h *host) {
	n.note(kind, LostNone, nobody, h.hostRef, 0)
	if n.trace.hook != nil {
		n.show(kind, LostNone, netip.AddrPort{}, n.places[h.place].addr, nil)
	}
}
