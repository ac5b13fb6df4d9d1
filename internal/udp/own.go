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
	machine atomic.Pointer[[]netip.Addr] // the interface addresses as of the last call of Look
}

// NewOwn returns an Own. It asks the system for the machine's addresses.
func NewOwn(s Sockets) *Own {
	o := &Own{sockets: s}
	o.Look()
	return o
}

// Look asks the system for the machine's addresses again. After an error it keeps the previous ones.
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

// Has reports whether a datagram sent to an address arrives at one of the sockets. It does not block.
func (o *Own) Has(at netip.AddrPort) bool {
	to := at.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(o.sockets, func(c *Conn) bool {
		return c.local.Port() == at.Port() && o.reaches(c, to)
	})
}

// reaches reports whether to is an address that c is bound to. A datagram to an unspecified address arrives at the
// loopback address.
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
