// Package memnet is the directory of a network in memory. It owns the addresses and names of its nodes. It never
// carries data.
package memnet

import (
	"net/netip"
	"sync"
)

// A Directory finds the nodes of a network by address and name. T is a node. The zero value is an empty network. A
// Directory is safe for concurrent use.
type Directory[T any] struct {
	mu     sync.Mutex // guards the following fields
	byAddr map[string]place[T]
	byName map[string]place[T]
	made   int // number of addresses assigned so far
}

type place[T any] struct {
	node       T
	addr, name string
}

// Add assigns a new address and adds the node that make returns for it. Names need not be unique. make must not use the
// Directory, which is locked meanwhile.
func (d *Directory[T]) Add(name string, make func(addr netip.AddrPort) T) T {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byAddr == nil {
		d.byAddr, d.byName = map[string]place[T]{}, map[string]place[T]{}
	}
	// The addresses are 127.0.0.1:1, 127.0.0.1:2 and so on, and 127.0.0.2:1 after the last port.
	host, port := d.made/65535+1, d.made%65535+1
	d.made++
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(host >> 16), byte(host >> 8), byte(host)}), uint16(port))
	p := place[T]{make(addr), addr.String(), name}
	d.byAddr[p.addr], d.byName[name] = p, p
	return p.node
}

// Find returns the node with both the name and the address, otherwise the newest node with the name, otherwise the
// node at the address. An empty name matches no name.
func (d *Directory[T]) Find(addr, name string) (node T, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, found := d.byAddr[addr]
	if found && (name == "" || at.name == name) {
		return at.node, true
	}
	if named, ok := d.byName[name]; ok && name != "" {
		return named.node, true
	}
	return at.node, found
}

// Remove removes the node at an address.
func (d *Directory[T]) Remove(addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.byAddr[addr]
	delete(d.byAddr, addr)
	if d.byName[at.name].addr == addr {
		delete(d.byName, at.name)
	}
}
