// Package udp provides UDP sockets for a node: large buffers, batched reads and writes, and the local address that each
// datagram arrived at, so that the answer leaves from there. It knows nothing of the protocol. To read it: conn.go,
// sockets.go, reader.go, runs.go; then inlet.go and knock.go. All differences between systems are in sys_*.go and
// whole_*.go.
package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Buffer sizes requested for each socket. They are bounds, not reservations: memory is used only while datagrams are
// queued. 8 MiB hold about 3,600 datagrams of 1,400 bytes.
const (
	ReceiveBuffer = 8 << 20 // bytes
	SendBuffer    = 2 << 20 // bytes
)

// MaxDatagram is the largest UDP payload over IPv4, in bytes. A read into a buffer of this size never truncates a
// datagram.
const MaxDatagram = 65507

// A Conn is one UDP socket. Only one goroutine at a time may call Read. All other methods are safe for concurrent use.
type Conn struct {
	c       *net.UDPConn
	local   netip.AddrPort // the bound address; unspecified when bound to all addresses
	v4, v6  bool           // the address families it reaches
	raw     syscall.RawConn
	sendmsg sendmsg // the system call that writes, if this package makes it; tests replace it
	pktinfo bool    // datagrams carry the local address that they arrived at
	oob     []byte  // control messages of the datagram being read; owned by the reader

	runs runs // see WriteEach

	// source is the control message written last. A node answers from few addresses, so nearly every write reuses it
	// and does not allocate.
	source atomic.Pointer[sourceControl]
}

// A sourceControl is a control message that makes a datagram leave from one local address. It is immutable.
type sourceControl struct {
	from netip.Addr
	oob  []byte
}

// Listen opens a socket on addr. network is "udp4" or "udp6" for one family, or "udp" for the family of addr; with
// "udp", an unspecified addr means all addresses of both families. Port 0 picks a free port.
func Listen(network string, addr netip.AddrPort) (*Conn, error) {
	c := &Conn{}
	lc := net.ListenConfig{Control: func(network, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			if addr.Addr().IsUnspecified() {
				c.pktinfo = enablePktinfo(fd, network == "udp6")
			}
		})
	}}
	pc, err := lc.ListenPacket(context.Background(), network, addr.String())
	if err != nil {
		return nil, fmt.Errorf("listen on UDP address %s: %w", addr, cause(err))
	}
	c.c = pc.(*net.UDPConn)
	if c.raw, err = c.c.SyscallConn(); err != nil {
		_ = pc.Close()
		return nil, fmt.Errorf("listen on UDP address %s: %w", addr, err)
	}
	setBuffers(c.c)
	c.runs.system.Store(takesRuns(c.c))
	c.sendmsg = systemSendmsg
	c.local = unmap(c.c.LocalAddr().(*net.UDPAddr).AddrPort())
	switch all := c.local.Addr().IsUnspecified(); {
	case c.local.Addr().Is4():
		c.v4 = true
	case all && network == "udp":
		c.v4, c.v6 = true, true
	default:
		c.v6 = true
	}
	if c.pktinfo {
		c.oob = make([]byte, oobSize)
	}
	return c, nil
}

// cause returns the error inside a net.OpError, because Listen's error already names operation and address.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Read waits for a datagram, copies it to b and returns its length and path. It truncates a datagram longer than b.
// IPv4 addresses in the path are never in IPv6 form. Read skips errors about earlier datagrams of ours, which some
// systems report on a read. It returns net.ErrClosed after Close and os.ErrDeadlineExceeded after the read deadline.
func (c *Conn) Read(b []byte) (int, wire.Path, error) {
	for {
		n, oobn, _, remote, err := c.c.ReadMsgUDPAddrPort(b, c.oob)
		if err != nil {
			if isStale(err) {
				continue
			}
			return 0, wire.Path{}, err
		}
		path := wire.Path{Remote: unmap(remote), Local: c.local.Addr()}
		if path.Local.IsUnspecified() {
			path.Local = parseLocal(c.oob[:oobn])
		}
		return n, path, nil
	}
}

// Write sends b to path.Remote, from path.Local if that is known and the socket is bound to all addresses. If the
// machine has lost that local address, the system chooses another one. On Linux Write never blocks: if the send buffer
// is full, for example because the interface is slower than the node, it returns syscall.EAGAIN.
func (c *Conn) Write(path wire.Path, b []byte) error {
	path.Remote = unmap(path.Remote)
	oob := c.control(path)
	err := c.write(b, oob, path.Remote)
	if err != nil && oob != nil && isLostSource(err) {
		err = c.write(b, nil, path.Remote)
	}
	return err
}

// control returns the control message for path, or nil if the system may choose the source.
func (c *Conn) control(path wire.Path) []byte {
	if !c.pktinfo || !path.Local.IsValid() || path.Local.Is4() != path.Remote.Addr().Is4() {
		return nil
	}
	if s := c.source.Load(); s != nil && s.from == path.Local {
		return s.oob
	}
	s := &sourceControl{from: path.Local, oob: appendSource(nil, path.Local)}
	c.source.Store(s)
	return s.oob
}

// Reaches reports whether the socket has remote's address family.
func (c *Conn) Reaches(remote netip.Addr) bool {
	if remote.Is4() || remote.Is4In6() {
		return c.v4
	}
	return c.v6
}

// dual reports whether the socket has both families, so that IPv4 addresses are passed in IPv6 form.
func (c *Conn) dual() bool { return c.v4 && c.v6 }

// LocalAddr returns the address that the socket is bound to, with the actual port.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Buffers returns the granted receive and send buffer sizes in bytes, or 0 if the system does not report them.
func (c *Conn) Buffers() (receive, send int) { return grantedBuffers(c.c) }

// SetReadDeadline makes the current and later calls of Read end at t. The zero time means no deadline.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.c.SetReadDeadline(t) }

// Close ends a Read in progress and releases the port.
func (c *Conn) Close() error { return c.c.Close() }
