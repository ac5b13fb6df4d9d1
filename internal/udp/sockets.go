package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Sockets are the sockets of one node, all with the same port. The slice is immutable. Write and Whole are safe for
// concurrent use.
type Sockets []*Conn

// ListenAll opens a socket on each address. A single unspecified address stands for all addresses of both families;
// among several it stands for those of its own family. If one socket cannot be opened, ListenAll closes the others. If
// the port that the system picked for the first one is in use on another address, it retries with a new port.
func ListenAll(addrs []netip.Addr, port uint16) (s Sockets, err error) {
	for range 10 {
		s, err = tryListenAll(addrs, port)
		if err == nil || port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return s, err
}

func tryListenAll(addrs []netip.Addr, port uint16) (Sockets, error) {
	var s Sockets
	for _, a := range addrs {
		network := "udp"
		switch {
		case len(addrs) > 1 && a.Is4():
			network = "udp4"
		case len(addrs) > 1:
			network = "udp6"
		}
		c, err := Listen(network, netip.AddrPortFrom(a, port))
		if err != nil {
			_ = s.Close()
			return nil, err
		}
		port = c.LocalAddr().Port()
		s = append(s, c)
	}
	return s, nil
}

// Write sends b from the socket bound to path.Local, or otherwise from the first socket that can send it. It does not
// keep b. It blocks no longer than the system takes to queue a datagram.
func (s Sockets) Write(path wire.Path, b []byte) (err error) {
	for _, c := range s {
		if path.Local.IsValid() && c.LocalAddr().Addr() == path.Local {
			return c.Write(path, b)
		}
	}
	for _, c := range s {
		if !c.Reaches(path.Remote.Addr()) {
			continue
		}
		if err = c.Write(path, b); err == nil {
			return nil
		}
	}
	if err == nil {
		err = fmt.Errorf("no socket reaches %s: %w", path.Remote, syscall.EAFNOSUPPORT)
	}
	return err
}

// Source returns the local address that datagrams to remote leave from. It is unspecified if the system chooses.
func (s Sockets) Source(remote netip.Addr) (local netip.Addr) {
	for _, c := range s {
		if c.Reaches(remote) {
			return c.LocalAddr().Addr()
		}
	}
	return local
}

// Whole calls Whole of each Conn.
func (s Sockets) Whole(on bool) {
	for _, c := range s {
		c.Whole(on)
	}
}

// Close closes all sockets.
func (s Sockets) Close() error {
	var errs []error
	for _, c := range s {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// ErrorPause is the pause between two reads after an error, so that a permanent error does not use a whole CPU.
const ErrorPause = 100 * time.Millisecond

// ReadEach reads until the Conn is closed. It passes each datagram to take, which must not keep b, and each error to
// failed. Closing done ends the pause after an error.
func (c *Conn) ReadEach(done <-chan struct{}, take func(path wire.Path, b []byte), failed func(error)) {
	b := make([]byte, MaxDatagram)
	for {
		n, path, err := c.Read(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed(err)
			select {
			case <-time.After(ErrorPause):
			case <-done:
			}
		default:
			take(path, b[:n])
		}
	}
}
