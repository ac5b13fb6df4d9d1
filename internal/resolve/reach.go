package resolve

import (
	"net"
	"net/netip"
)

// Unreachable returns the reason why no other node can reach an address, or the empty string. networks are the networks
// of this machine, as net.InterfaceAddrs returns them: no node has the broadcast address of one of them.
func Unreachable(ip netip.Addr, networks []net.Addr) string {
	ip = ip.Unmap()
	switch {
	case ip.IsUnspecified():
		return "it is the unspecified address"
	case ip.IsMulticast():
		return "it is a multicast address"
	case ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "it is the broadcast address"
	case ip.Is4() && ip.As4()[0] == 0:
		return "it is in 0.0.0.0/8, which no node may have"
	case ip.Is6() && ip.IsLinkLocalUnicast():
		return "it is a link-local IPv6 address, which means nothing without the name of an interface"
	}
	for _, n := range networks {
		if of, ok := n.(*net.IPNet); ok && isBroadcast(ip, of) {
			return "it is the broadcast address of this machine's network " + of.String()
		}
	}
	return ""
}

// leavesBroadcast reports whether an IPv4 network with the given mask has a broadcast address.
func leavesBroadcast(mask net.IPMask) bool {
	ones, bits := mask.Size()
	return bits == 32 && ones >= 1 && ones <= 30
}

// isBroadcast reports whether ip is the last address of an IPv4 network that has a broadcast address.
func isBroadcast(ip netip.Addr, of *net.IPNet) bool {
	base, mask := of.IP.To4(), of.Mask
	if base == nil || !ip.Is4() || !leavesBroadcast(mask) {
		return false
	}
	last := ip.As4()
	for i := range last {
		if last[i] != base[i]|^mask[i] {
			return false
		}
	}
	return true
}
