package simnet

import (
	"net/netip"
	"slices"
	"time"
)

// Block drops every datagram from one set of hosts to another. The opposite direction stays open.
func (n *Network) Block(from, to []netip.AddrPort) *Block {
	return n.blocks.add(rule{n.hostSet(from), n.hostSet(to)})
}

// Partition drops every datagram between the groups, in both directions. A host that is in no group reaches every
// host.
func (n *Network) Partition(groups ...[]netip.AddrPort) *Block {
	var rules []rule
	for i, group := range groups {
		others := slices.Concat(slices.Concat(groups[:i]...), slices.Concat(groups[i+1:]...))
		rules = append(rules, rule{n.hostSet(group), n.hostSet(others)})
	}
	return n.blocks.add(rules...)
}

// HealAll ends all blocks.
func (n *Network) HealAll() { n.blocks.list = nil }

func (n *Network) hostSet(addrs []netip.AddrPort) hostSet {
	s := make(hostSet, (len(n.hosts)+63)/64)
	for _, a := range addrs {
		i := n.host(a).index
		s[i>>6] |= 1 << (i & 63)
	}
	return s
}

// SetLoad changes how much running time the host's loop gets.
func (n *Network) SetLoad(addr netip.AddrPort, load Load) {
	h := n.host(addr)
	h.throttle = load.throttle(scramble(n.seed ^ uint64(h.index)))
	if h.throttle == nil {
		h.busyUntil = 0
	}
	n.schedule(h)
}

// Pause stops a host's loop, as a debugger or a full disk does. Its clocks go on; datagrams wait in the socket
// buffer, and due timers wait too. Datagrams that a function passed to Do makes the host send still leave.
func (n *Network) Pause(addr netip.AddrPort) {
	h := n.host(addr)
	h.paused = true
	n.schedule(h)
}

// Resume ends a pause. The host then gets the inputs that waited, in the order in which they were due.
func (n *Network) Resume(addr netip.AddrPort) {
	h := n.host(addr)
	h.paused = false
	n.schedule(h)
}

// SetClockOffset sets a host's wall clock to the network's time plus offset. Its monotonic clock and its timers are
// not affected. The offset belongs to the machine, so it survives a crash.
func (n *Network) SetClockOffset(addr netip.AddrPort, offset time.Duration) {
	n.host(addr).setOffset(n.clock, offset)
}

// HostNow returns the time that the host at addr sees now.
func (n *Network) HostNow(addr netip.AddrPort) time.Time { return n.host(addr).time(n.now) }
