package udp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// oobSize holds one control message of each family with room for a later one: on a socket of both
// families an IPv4 datagram may come with either.
const oobSize = 128

// setBuffers asks first for more than net.core.rmem_max, which needs CAP_NET_ADMIN, then for as
// much as anyone may have. What came of it grantedBuffers tells.
func setBuffers(c *net.UDPConn) {
	withFD(c, func(fd int) {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, ReceiveBuffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, ReceiveBuffer)
		}
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, SendBuffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, SendBuffer)
		}
	})
}

// grantedBuffers halves what Linux tells, for it doubles what it is asked for, to pay for its own
// bookkeeping (socket(7)).
func grantedBuffers(c *net.UDPConn) (receive, send int) {
	withFD(c, func(fd int) {
		receive, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		send, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return receive / 2, send / 2
}

// withFD calls f unless the socket is closed.
func withFD(c *net.UDPConn, f func(fd int)) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

// enablePktinfo asks for the local address with each datagram. A socket of both families gets that
// of an IPv4 datagram in IPv6 form. Where a sandbox refuses it, the system chooses the source of
// answers, as it does for most programs.
func enablePktinfo(fd uintptr, v6 bool) bool {
	if v6 {
		return unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1) == nil
	}
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1) == nil
}

// parseLocal finds the local address in the control messages of a datagram; invalid when none is
// there, or it is one that many have.
//
//	in_pktinfo  = ifindex i32, spec_dst [4]byte, addr [4]byte     spec_dst is ours, addr may be a broadcast
//	in6_pktinfo = addr [16]byte, ifindex u32
func parseLocal(oob []byte) netip.Addr {
	for len(oob) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return usable(netip.AddrFrom4([4]byte(data[4:8])))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			return usable(netip.AddrFrom16([16]byte(data[:16])).Unmap())
		}
		oob = rest
	}
	return netip.Addr{}
}

func usable(a netip.Addr) netip.Addr {
	if a.IsMulticast() || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// appendSource appends the control message that makes a datagram leave from a.
func appendSource(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		ip := a.As4()
		b, data := appendControl(b, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
		copy(data[4:8], ip[:])
		return b
	}
	ip := a.As16()
	b, data := appendControl(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	copy(data[:16], ip[:])
	return b
}

// appendControl appends a control message of n zero bytes and returns those too. The header is a
// length of the size of a pointer, then level and type as i32, in the machine's byte order (cmsg(3)).
func appendControl(b []byte, level, kind uint32, n int) (all, data []byte) {
	at := len(b)
	b = append(b, make([]byte, unix.CmsgSpace(n))...)
	h := b[at:]
	order := binary.NativeEndian
	if unsafe.Sizeof(uintptr(0)) == 8 {
		order.PutUint64(h, uint64(unix.CmsgLen(n)))
		h = h[8:]
	} else {
		order.PutUint32(h, uint32(unix.CmsgLen(n)))
		h = h[4:]
	}
	order.PutUint32(h, level)
	order.PutUint32(h[4:], kind)
	return b, b[at+unix.CmsgLen(0):][:n]
}

// A send is one sendmsg without waiting. They are kept in a pool with the function that the runtime's
// poller calls, so that a write allocates nothing.
type send struct {
	b, oob []byte
	to     unix.Sockaddr // v4 or v6
	v4     unix.SockaddrInet4
	v6     unix.SockaddrInet6
	room   []byte // for control messages
	system sendmsg
	err    error
	call   func(fd uintptr) bool
}

// sendmsg writes one datagram, or one run of them, without waiting (sendmsg(2)).
type sendmsg func(fd int, b, oob []byte, to unix.Sockaddr) error

func systemSendmsg(fd int, b, oob []byte, to unix.Sockaddr) error {
	_, err := unix.SendmsgN(fd, b, oob, to, unix.MSG_DONTWAIT)
	return err
}

var sends = sync.Pool{New: func() any {
	s := new(send)
	s.call = func(fd uintptr) bool {
		for {
			if s.err = s.system(int(fd), s.b, s.oob, s.to); s.err != unix.EINTR {
				return true
			}
		}
	}
	return s
}}

// takesRuns reports whether the system knows UDP_SEGMENT (Linux 4.18).
func takesRuns(c *net.UDPConn) (takes bool) {
	withFD(c, func(fd int) {
		_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		takes = err == nil
	})
	return takes
}

func (c *Conn) writeRun(b, oob []byte, to netip.AddrPort, size int) error {
	s := sends.Get().(*send)
	defer sends.Put(s)
	var data []byte
	s.room, data = appendControl(append(s.room[:0], oob...), unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2)
	binary.NativeEndian.PutUint16(data, uint16(size))
	return c.send(s, b, s.room, to)
}

func (c *Conn) write(b, oob []byte, to netip.AddrPort) error {
	s := sends.Get().(*send)
	defer sends.Put(s)
	return c.send(s, b, oob, to)
}

func (c *Conn) send(s *send, b, oob []byte, to netip.AddrPort) error {
	s.b, s.oob, s.system = b, oob, c.sendmsg
	if c.dual() || to.Addr().Is6() {
		s.v6 = unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port()), ZoneId: zoneID(to.Addr())}
		s.to = &s.v6
	} else {
		s.v4 = unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
		s.to = &s.v4
	}
	err := c.raw.Write(s.call)
	if err == nil {
		err = s.err
	}
	s.b, s.oob = nil, nil
	return err
}

// zoneID is the index of the interface that an IPv6 address with a zone is of.
func zoneID(a netip.Addr) uint32 {
	if a.Zone() == "" {
		return 0
	}
	if i, err := net.InterfaceByName(a.Zone()); err == nil {
		return uint32(i.Index)
	}
	n, _ := strconv.ParseUint(a.Zone(), 10, 32)
	return uint32(n)
}

// enableErrors makes a connected socket tell all ICMP errors. Without it Linux keeps those for itself that may pass: that a
// host or a network is unreachable.
func enableErrors(c *net.UDPConn) {
	withFD(c, func(fd int) {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	})
}

// isStale reports an error that an earlier datagram of ours drew from its target.
func isStale(err error) bool { return isRefused(err) }

// isRefused reports that a datagram of ours found no socket at its target.
func isRefused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

// verdictOnRuns is what the error of a run says about runs, when the same datagrams went one by one (udp(7), and
// udp_send_skb of Linux, which checks runs).
func verdictOnRuns(err error) runVerdict {
	switch {
	case errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EOPNOTSUPP):
		return runNever // a kernel, or a sandbox in its place, that does not know UDP_SEGMENT
	case errors.Is(err, unix.EIO):
		return runNotHere // an interface that computes no checksums, or IPsec on the way
	case errors.Is(err, unix.EMSGSIZE), errors.Is(err, unix.EINVAL):
		return runTooWide // one datagram does not fit into the MTU of the path: EINVAL before Linux 6.14
	}
	// All else is of the moment: a full buffer (EAGAIN, ENOBUFS, ENOMEM), a firewall (EPERM, EACCES), a route or an
	// address that went (ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ENETDOWN).
	return runPassing
}

// isLostSource reports that the source address asked for is no longer this machine's.
func isLostSource(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENETUNREACH)
}
