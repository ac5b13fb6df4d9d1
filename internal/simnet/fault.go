package simnet

import (
	"net/netip"
	"slices"
	"time"
)

// Block lets nothing pass from one set of hosts to another. The opposite direction stays open.
func (n *Network) Block(from, to []netip.AddrPort) *Block {
	return n.blocks.add(rule{n.hostSet(from), n.hostSet(to)})
}

// Partition lets nothing pass between the groups, in either direction. Hosts in none of them reach
// everyone.
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

// SetLoad changes how much of the machine the host's loop gets.
func (n *Network) SetLoad(addr netip.AddrPort, load Load) {
	h := n.host(addr)
	h.throttle = load.throttle(scramble(n.seed ^ uint64(h.index)))
	if h.throttle == nil {
		h.busyUntil = 0
	}
	n.schedule(h)
}

// Pause stops a host's loop, as a debugger or a full disk does: its clocks go on, datagrams wait in
// the socket buffer, due timers wait too. What functions passed to Do make it send leaves nevertheless.
func (n *Network) Pause(addr netip.AddrPort) {
	h := n.host(addr)
	h.paused = true
	n.schedule(h)
}

// Resume ends a pause. The host then gets what waited, in the order it was due.
func (n *Network) Resume(addr netip.AddrPort) {
	h := n.host(addr)
	h.paused = false
	n.schedule(h)
}

// SetClockOffset sets a host's wall clock to the network's time plus offset. Its monotonic clock,
// and so its timers, go on undisturbed. The offset outlives a crash: it belongs to the machine.
func (n *Network) SetClockOffset(addr netip.AddrPort, offset time.Duration) {
	n.host(addr).setOffset(n.clock, offset)
}

// HostNow is the time that the host at addr is given.
func (n *Network) HostNow(addr netip.AddrPort) time.Time { return n.host(addr).time(n.now) }
