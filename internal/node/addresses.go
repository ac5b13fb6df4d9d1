package node

import (
	"context"
	"net"
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/resolve"
)

// addresses resolves the addresses that the application passes to the node. It is immutable.
type addresses struct {
	port  int            // the port of an address that has none
	names *addrbook.Book // records the names that come with addresses; may be nil
}

// resolve returns the name in address (empty if there is none) and the IP addresses that it stands for.
func (a *addresses) resolve(ctx context.Context, address string) (name string, to []netip.AddrPort, err error) {
	return resolve.Address(ctx, address, a.port, net.DefaultResolver.LookupNetIP)
}

// learn records the name of the node at an address.
func (a *addresses) learn(to netip.AddrPort, name string) { a.names.Hint(to, name) }
