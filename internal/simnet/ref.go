package simnet

import (
	"math"
	"net/netip"
)

// A hostRef holds what most of the network needs to know about a host, so that it need not load the host.
type hostRef struct {
	index int32 // into Network.hosts; -1: no host
	zone  int32 // into zones.names
}

var nobody = hostRef{-1, -1}

// never is a point in virtual time that no run reaches.
const never = math.MaxInt64

// scramble is the finalizer of splitmix64: close seeds give unrelated values.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unmap converts an IPv4-mapped IPv6 address to the IPv4 address, as a socket would.
func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}
