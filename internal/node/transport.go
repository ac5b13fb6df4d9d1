package node

import (
	"errors"
	"net"
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/carrier"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Transport carries a node's datagrams, over sockets or over a foreign transport, which may block.
type Transport struct {
	Shutdown func() error

	// The following fields are for sockets only.

	Sockets udp.Sockets
	Own     *udp.Own
	// Claim makes the node the only reader of the sockets. It reports whether that succeeded.
	Claim func() bool
	// Divert passes the packets that other readers received for the sockets to take. take may block.
	Divert func(take func(from net.Addr, b []byte))
	// Advertised returns the address at which other nodes reach the machine. It is nil if the application has set it.
	Advertised func() (netip.Addr, error)

	// The following fields are for a foreign transport only.

	// Write writes b, which it may keep, to an address. It may block. name is the node's name, empty if unknown.
	Write func(to netip.AddrPort, name string, b []byte) error
	Named bool // Write uses names
	// Receive passes received packets to put until stop is closed.
	Receive func(stop <-chan struct{}, put func(wire.Path, []byte))
}

// overSockets reports whether the transport uses sockets.
func (t *Transport) overSockets() bool { return t.Sockets != nil }

// isOwn reports whether an address is one that the sockets are bound to. For a foreign transport, only its advertised
// address is known.
func (t *Transport) isOwn(a netip.AddrPort) bool { return t.Own != nil && t.Own.Has(a) }

// updateOwn updates the addresses of isOwn. It asks the system, so the loop must not call it.
func (t *Transport) updateOwn() {
	if t.Own != nil {
		t.Own.Look()
	}
}

// carry returns the carrier of the transport. room limits the datagrams that wait in it. names maps addresses to
// node names; it may be nil.
func (t *Transport) carry(room carrier.Room, log Log, names *addrbook.Book, stop <-chan struct{}) (*carrier.Carrier, error) {
	if !t.overSockets() {
		write := func(to netip.AddrPort, b []byte) error { return t.Write(to, "", b) }
		if names != nil {
			write = func(to netip.AddrPort, b []byte) error { return t.Write(to, names.Name(to), b) }
		}
		return carrier.NewForeign(write, room, stop), nil
	}
	if !t.Claim() {
		return nil, errors.New("the NetTransport is in use already, or shut down")
	}
	c := carrier.New(t.Sockets, room, log.Errorf, stop)
	t.Divert(func(from net.Addr, b []byte) { c.Ingest(source(from), b) })
	return c, nil
}

// Receive returns a Transport's Receive for packets that arrive on a channel. open returns a packet's source and its
// content.
func Receive[P any](packets func() <-chan P, open func(P) (net.Addr, []byte)) func(<-chan struct{}, func(wire.Path, []byte)) {
	return func(stop <-chan struct{}, put func(wire.Path, []byte)) {
		ch := packets()
		for {
			select {
			case <-stop:
				return
			case p, ok := <-ch:
				if !ok {
					return
				}
				from, b := open(p)
				put(source(from), b)
			}
		}
	}
}

// source returns a packet's source, parsed from the text of the address. Some transports have no source address.
func source(from net.Addr) (path wire.Path) {
	if from != nil {
		path.Remote, _ = netip.ParseAddrPort(from.String())
	}
	return path
}
