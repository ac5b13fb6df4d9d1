package simnet

import (
	"net/netip"
	"slices"
)

// Stats returns the counters of everything sent since the start, injected datagrams included.
func (n *Network) Stats() Traffic { return n.links.total() }

// ZoneStats returns the counters of what hosts of one zone sent to those of another.
func (n *Network) ZoneStats(from, to string) Traffic {
	if p := n.links.zones.find(from, to); p != nil {
		return p.traffic
	}
	return Traffic{}
}

// Zones returns the names of the zones in the order in which they were first named.
func (n *Network) Zones() []string { return slices.Clone(n.links.zones.names) }

// HostStats returns the counters of the host at an address. They include earlier Hosts at that address.
func (n *Network) HostStats(addr netip.AddrPort) HostTraffic { return n.host(addr).traffic }

// Uplink returns the queue of a host's uplink, so that the caller can read its Stats.
func (n *Network) Uplink(addr netip.AddrPort) *Pipe { return &n.host(addr).uplink }
