package node

import (
	"net"
	"net/netip"
	"slices"
	"time"
)

// relocateEvery is how often a node that found out its address by itself checks that the machine still has it.
const relocateEvery = time.Minute

// relocation tells the others when the machine has lost the address that it advertises and has another.
type relocation struct {
	loop       *loop
	advertised func() (netip.Addr, error) // nil: the address never changes
	due        time.Time                  // of the next check
}

// every checks if it is time. A goroutine that ends by itself asks the system. Only the loop may call it.
func (r *relocation) every(now time.Time) {
	if r.advertised == nil || now.Before(r.due) {
		return
	}
	r.due = now.Add(relocateEvery)
	current := r.loop.core.Self().Addr
	r.loop.others.Go(func() {
		addrs, err := net.InterfaceAddrs()
		if err != nil || amongAddrs(current.Addr(), addrs) {
			return
		}
		if addr, err := r.advertised(); err == nil {
			_ = r.loop.do(func(now time.Time) { r.loop.core.Readdress(now, netip.AddrPortFrom(addr.Unmap(), current.Port())) })
		}
	})
}

// amongAddrs reports whether an address is one of those of a machine's interfaces.
func amongAddrs(a netip.Addr, addrs []net.Addr) bool {
	return slices.ContainsFunc(addrs, func(of net.Addr) bool {
		n, ok := of.(*net.IPNet)
		if !ok {
			return false
		}
		ip, _ := netip.AddrFromSlice(n.IP)
		return ip.Unmap() == a.Unmap()
	})
}
