package udp

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
)

// Own knows the addresses at which this machine reaches its own sockets. It is safe for concurrent use.
type Own struct {
	sockets Sockets
	machine atomic.Pointer[[]netip.Addr] // of the interfaces, when Look was last called
}

// NewOwn asks the system for the machine's addresses.
func NewOwn(s Sockets) *Own {
	o := &Own{sockets: s}
	o.Look()
	return o
}

// Look asks the system for the machine's addresses anew. After an error those of before remain.
func (o *Own) Look() {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return
	}
	var addrs []netip.Addr
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			ip, _ := netip.AddrFromSlice(n.IP)
			addrs = append(addrs, ip.Unmap())
		}
	}
	o.machine.Store(&addrs)
}

// Has reports whether a datagram to an address comes to one of the sockets. It does not block.
func (o *Own) Has(at netip.AddrPort) bool {
	to := at.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(o.sockets, func(c *Conn) bool {
		return c.local.Port() == at.Port() && o.reaches(c, to)
	})
}

// reaches reports whether an address is one that c is bound to. An unspecified one leads to the loopback
// address.
func (o *Own) reaches(c *Conn, to netip.Addr) bool {
	bound := c.local.Addr().Unmap().WithZone("")
	switch {
	case to.Is4() && !c.v4, to.Is6() && !c.v6:
		return false
	case !bound.IsUnspecified():
		return to == bound || to.IsUnspecified() && bound.IsLoopback()
	case to.IsUnspecified(), to.IsLoopback():
		return true
	}
	machine := o.machine.Load()
	return machine != nil && slices.Contains(*machine, to)
}
