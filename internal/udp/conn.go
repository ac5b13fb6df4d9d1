// Package udp opens sockets the way a gossip node wants them: large buffers, and on a socket bound
// to every address the knowledge which of them a datagram came to, so that the answer leaves from
// there. What differs between systems stands in sys_*.go and nowhere else.
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

// What is asked of the system for each socket. It is a bound, not a reservation: memory is used
// only while datagrams wait. 8 MiB hold about 3,600 datagrams of 1,400 bytes.
const (
	ReceiveBuffer = 8 << 20 // bytes
	SendBuffer    = 2 << 20 // bytes
)

// MaxDatagram is the largest UDP payload over IPv4, in bytes; a buffer of this size never cuts one
// short.
const MaxDatagram = 65507

// A Conn is one UDP socket. Read belongs to one goroutine at a time; everything else is safe for
// concurrent use.
type Conn struct {
	c       *net.UDPConn
	local   netip.AddrPort // what it is bound to; the address is unspecified when bound to all
	v4, v6  bool           // the families it reaches
	raw     syscall.RawConn
	sendmsg sendmsg // the system call that writes, where this package makes it; tests put another in its place
	pktinfo bool    // datagrams tell the local address they came to
	oob     []byte  // control messages of the datagram being read; the reader's

	runs runs // see WriteEach

	// source is the control message last written. A node answers from few addresses, so that
	// nearly every write finds its own here and allocates nothing.
	source atomic.Pointer[sourceControl]
}

// A sourceControl is a control message that makes a datagram leave from one local address.
// Immutable.
type sourceControl struct {
	from netip.Addr
	oob  []byte
}

// Listen opens a socket on addr. network is "udp4" or "udp6" for one family, or "udp" for what the
// address says, an unspecified one meaning every address of both families. Port 0 picks a free port.
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

// cause strips net's own account of operation and address, which Listen's callers give better.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Read waits for a datagram, copies it to b and tells the way it took. A longer one than b is cut.
// IPv4 addresses are never in their IPv6 form. Errors that tell of an earlier datagram of ours, as
// some systems report them on a read, are passed over. After Close it returns net.ErrClosed, after
// the read deadline os.ErrDeadlineExceeded.
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

// Write sends b to path.Remote, from path.Local where that is known and the socket is bound to all
// addresses. An address that the machine has lost meanwhile is given up rather than the datagram. On
// Linux it never waits: a full send buffer, as of an interface that is slower than the node, is
// syscall.EAGAIN.
func (c *Conn) Write(path wire.Path, b []byte) error {
	path.Remote = unmap(path.Remote)
	oob := c.control(path)
	err := c.write(b, oob, path.Remote)
	if err != nil && oob != nil && isLostSource(err) {
		err = c.write(b, nil, path.Remote)
	}
	return err
}

// control is the control message for path, nil when the system may choose the source.
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

// Reaches reports whether the socket is of remote's family.
func (c *Conn) Reaches(remote netip.Addr) bool {
	if remote.Is4() || remote.Is4In6() {
		return c.v4
	}
	return c.v6
}

// dual reports whether the socket is of both families, so that IPv4 addresses go in IPv6 form.
func (c *Conn) dual() bool { return c.v4 && c.v6 }

// LocalAddr is what the socket is bound to, with the port that was picked.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Buffers tells how many bytes the system granted to receive and to send; 0 where it does not tell.
func (c *Conn) Buffers() (receive, send int) { return grantedBuffers(c.c) }

// SetReadDeadline makes a Read in progress and those to come end at t; zero is never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.c.SetReadDeadline(t) }

// Close ends a Read in progress and frees the port.
func (c *Conn) Close() error { return c.c.Close() }
