package simnet

import (
	"fmt"
	"net/netip"
)

// Add places a host in the network. The host may have datagrams to send and a timeout already.
func (n *Network) Add(cfg HostConfig, impl Host) {
	h := newHost(hostRef{int32(len(n.hosts)), n.links.zones.index(cfg.Zone)}, n.seed, n.clock, cfg)
	n.hosts = append(n.hosts, h)
	h.place = n.occupy(cfg.Addr, h)
	n.start(h, impl)
}

// Crash takes the Host at an address out of the network. Its timers and what waits in its socket
// buffer are gone; datagrams on their way to it are lost unless it is back when they arrive.
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

// Restart puts a new Host at an address whose old one has crashed. A pause is over, the clock and
// the load are as they were.
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
	n.settle(h)
}

// Up reports whether a Host runs at an address.
func (n *Network) Up(addr netip.AddrPort) bool { return n.host(addr).impl != nil }

// Alias gives the host at addr a further address, with the same port if it is to send from it.
func (n *Network) Alias(addr, further netip.AddrPort) { n.occupy(further, n.host(addr)) }

// Rebind moves the host at an address to another one, as a NAT or a change of network does: what it
// sends comes from the new one, what goes to the old one is lost. The Host is not told.
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
