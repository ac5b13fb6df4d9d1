package node

import (
	"net"
	"net/netip"
	"slices"
	"time"
)

// relocateEvery is how often a node that detected its own address checks that the machine still has it.
const relocateEvery = time.Minute

// relocation announces a new address when the machine has lost the advertised one and has another.
type relocation struct {
	loop       *loop
	advertised func() (netip.Addr, error) // nil: the address never changes
	due        time.Time                  // of the next check
}

// every checks the address if that is due, in a goroutine that ends by itself. Only the loop may call it.
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

// amongAddrs reports whether a is one of the addresses of a machine's interfaces.
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
