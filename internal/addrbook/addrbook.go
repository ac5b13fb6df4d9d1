// Package addrbook tells which node is at an address, for transports that send by name.
package addrbook

import (
	"net/netip"
	"sync"
)

// ToldMax is how many names from calls are kept. When there are more, all are forgotten: they matter
// until the node is a member.
const ToldMax = 1024

// A Book knows the members by their addresses, and those that the application named in a call. The zero
// value is empty. Safe for concurrent use.
type Book struct {
	mu      sync.Mutex // guards what follows
	members map[netip.AddrPort]string
	told    map[netip.AddrPort]string
}

// Tell notes the name that a call gave along with an address. An empty one is not noted; a nil Book notes none.
func (b *Book) Tell(addr netip.AddrPort, name string) {
	if b == nil || name == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.told == nil || len(b.told) >= ToldMax {
		b.told = make(map[netip.AddrPort]string)
	}
	b.told[addr] = name
}

// SetMembers replaces the members. The map is the Book's from then on.
func (b *Book) SetMembers(members map[netip.AddrPort]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = members
}

// Name is who is at addr, a member before anybody else, and empty if that is not known.
func (b *Book) Name(addr netip.AddrPort) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name, ok := b.members[addr]; ok {
		return name
	}
	return b.told[addr]
}
