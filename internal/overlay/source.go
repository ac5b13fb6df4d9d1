package overlay

import "net/netip"

// One machine can run any number of nodes, so members and subscribers are also counted by their sources (PROTOCOL.md
// G11). A source is a network, seen from another network, an address within a network, and a node at an address. So
// the nodes of a small cluster in one network, or of a test on one machine, are different sources to each other.

// Lengths of the prefixes of source networks, in bits.
const (
	networkIPv4 = 24
	networkIPv6 = 48
)

// A source is a network, an address or a node, with zeros for what it does not include.
type source netip.AddrPort

// sourceOf returns the source of a node at an address, as seen from a node at another address.
func sourceOf(from, at netip.AddrPort) source {
	a, b := from.Addr().Unmap(), at.Addr().Unmap()
	switch {
	case a == b:
		return source(netip.AddrPortFrom(b, at.Port()))
	case network(a) == network(b):
		return source(netip.AddrPortFrom(b, 0))
	}
	return source(netip.AddrPortFrom(network(b), 0))
}

// network returns the first address of the network of an address.
func network(a netip.Addr) netip.Addr {
	bits := networkIPv6
	if a.Is4() {
		bits = networkIPv4
	}
	p, _ := a.WithZone("").Prefix(bits) // it fails only for an invalid address, and is invalid then
	return p.Addr()
}
