// Package addrbook maps addresses to node names, for transports that send by name. It never resolves a name.
package addrbook

import (
	"net/netip"
	"sync"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// HintsMax is the maximum number of names from calls that are kept. If it is reached, all of them are removed,
// because they matter only until the node is a member.
const HintsMax = 1024

// A Book contains the names of the members, and names that the application passed in calls, by address. The zero
// value is empty. It is safe for concurrent use.
type Book struct {
	mu      sync.Mutex // guards the following fields
	members map[netip.AddrPort]member
	hints   map[netip.AddrPort]string
}

// A member is the one that was last recorded at an address.
type member struct {
	id   wire.NodeID
	name string
}

// Hint records the name that a call passed with an address. It ignores an empty name, and does nothing on a nil Book.
func (b *Book) Hint(addr netip.AddrPort, name string) {
	if b == nil || name == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hints == nil || len(b.hints) >= HintsMax {
		b.hints = make(map[netip.AddrPort]string)
	}
	b.hints[addr] = name
}

// SetMember records the name of the member at an address.
func (b *Book) SetMember(addr netip.AddrPort, id wire.NodeID, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.members == nil {
		b.members = make(map[netip.AddrPort]member)
	}
	b.members[addr] = member{id, name}
}

// RemoveMember removes the member at an address, unless another one was recorded there since.
func (b *Book) RemoveMember(addr netip.AddrPort, id wire.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.members[addr].id == id {
		delete(b.members, addr)
	}
}

// Name returns the name of the node at addr, or "" if it is unknown. Members precede names from calls.
func (b *Book) Name(addr netip.AddrPort) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m, ok := b.members[addr]; ok {
		return m.name
	}
	return b.hints[addr]
}
