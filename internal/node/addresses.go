package node

import (
	"context"
	"net"
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/resolve"
)

// addresses resolves the addresses that the application gives. It is immutable.
type addresses struct {
	port  int            // where an address has none
	names *addrbook.Book // learns the names that come with addresses; may be nil
}

// resolve returns the name that an address comes with, empty if none, and what the address stands for.
func (a *addresses) resolve(ctx context.Context, address string) (name string, to []netip.AddrPort, err error) {
	return resolve.Address(ctx, address, a.port, net.DefaultResolver.LookupNetIP)
}

// learn notes that a node has a name.
func (a *addresses) learn(to netip.AddrPort, name string) { a.names.Tell(to, name) }
