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

// A Transport carries a node's datagrams: over sockets, or a foreign transport, which may block.
type Transport struct {
	Shutdown func() error

	// Over sockets only.

	Sockets udp.Sockets
	Own     *udp.Own
	// Claim makes the node the only reader of the sockets, and reports whether it can be.
	Claim func() bool
	// Divert has take called with the packets that others received for the sockets. take may block.
	Divert func(take func(from net.Addr, b []byte))
	// Advertised finds out the address at which others reach the machine. nil: the application has said it.
	Advertised func() (netip.Addr, error)

	// Over a foreign transport only.

	// Write writes b, which it may keep, to an address. It may block. name is the node's there, empty if unknown.
	Write func(to netip.AddrPort, name string, b []byte) error
	Named bool // Write looks at names
	// Receive hands on what the transport received, until stop is closed.
	Receive func(stop <-chan struct{}, put func(wire.Path, []byte))
}

// overSockets reports whether the transport is sockets.
func (t *Transport) overSockets() bool { return t.Sockets != nil }

// isOwn reports whether an address is one that the sockets are bound to. Of a foreign transport only the address is
// known that it advertises.
func (t *Transport) isOwn(a netip.AddrPort) bool { return t.Own != nil && t.Own.Has(a) }

// updateOwn brings isOwn up to date. It asks the system, so the loop must not call it.
func (t *Transport) updateOwn() {
	if t.Own != nil {
		t.Own.Look()
	}
}

// carry makes the carrier of the transport, at which at most depth received datagrams wait. names is nil or knows the
// nodes at addresses.
func (t *Transport) carry(depth int, log Log, names *addrbook.Book, stop <-chan struct{}) (*carrier.Carrier, error) {
	if !t.overSockets() {
		write := func(to netip.AddrPort, b []byte) error { return t.Write(to, "", b) }
		if names != nil {
			write = func(to netip.AddrPort, b []byte) error { return t.Write(to, names.Name(to), b) }
		}
		return carrier.NewForeign(write, depth, stop), nil
	}
	if !t.Claim() {
		return nil, errors.New("the NetTransport is in use already, or shut down")
	}
	c := carrier.New(t.Sockets, depth, log.Errorf, stop)
	t.Divert(func(from net.Addr, b []byte) { c.Ingest(source(from), b) })
	return c, nil
}

// Receive returns the Receive of a Transport whose packets come by a channel. open returns where a packet came from and
// what is in it.
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

// source returns where a packet came from, as far as the text of the address tells. Some transports give none.
func source(from net.Addr) (path wire.Path) {
	if from != nil {
		path.Remote, _ = netip.ParseAddrPort(from.String())
	}
	return path
}
