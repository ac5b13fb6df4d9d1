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

// oobSize holds one control message of each family, with spare room: on a socket of both families, an IPv4 datagram may
// carry either.
const oobSize = 128

// setBuffers first requests sizes above net.core.rmem_max, which needs CAP_NET_ADMIN, and then the largest size allowed
// for any process. grantedBuffers returns the result.
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

// grantedBuffers halves the sizes that Linux reports, because Linux doubles the requested size for its own bookkeeping
// (socket(7)).
func grantedBuffers(c *net.UDPConn) (receive, send int) {
	withFD(c, func(fd int) {
		receive, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		send, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return receive / 2, send / 2
}

// withFD calls f with the file descriptor unless the socket is closed.
func withFD(c *net.UDPConn, f func(fd int)) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}

// enablePktinfo requests the local address with each datagram. A socket of both families gets that of an IPv4 datagram
// in IPv6 form. If a sandbox refuses the request, the system chooses the source of answers, as for most programs.
func enablePktinfo(fd uintptr, v6 bool) bool {
	if v6 {
		return unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1) == nil
	}
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1) == nil
}

// parseLocal returns the local address in the control messages of a datagram. The address is invalid if there is none
// or if it is not unicast.
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

// appendControl appends a control message with n zero bytes of data and also returns those bytes. The header is a
// length of pointer size, then level and type as i32, in native byte order (cmsg(3)).
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

// A send is one non-blocking sendmsg. A pool keeps sends together with the function that the runtime's poller calls, so
// that a write does not allocate.
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

// sendmsg writes one datagram, or one run of datagrams, without blocking (sendmsg(2)).
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

// takesRuns reports whether the system supports UDP_SEGMENT (Linux 4.18).
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

// zoneID returns the interface index of an IPv6 address with a zone, or 0.
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

// enableErrors makes a connected socket report all ICMP errors. By default Linux does not report errors that may be
// temporary, such as an unreachable host or network.
func enableErrors(c *net.UDPConn) {
	withFD(c, func(fd int) {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	})
}

// isStale reports whether err is about an earlier datagram of ours.
func isStale(err error) bool { return isRefused(err) }

// isRefused reports whether err says that an earlier datagram found no socket at its target.
func isRefused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

// verdictOnRuns returns the conclusion from a run's error when the same datagrams were written one by one (udp(7), and
// udp_send_skb in Linux, which checks runs).
func verdictOnRuns(err error) runVerdict {
	switch {
	case errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EOPNOTSUPP):
		return runNever // a kernel, or a sandbox that replaces it, without UDP_SEGMENT
	case errors.Is(err, unix.EIO):
		return runNotHere // an interface that computes no checksums, or IPsec on the path
	case errors.Is(err, unix.EMSGSIZE), errors.Is(err, unix.EINVAL):
		return runTooWide // one datagram exceeds the path MTU; EINVAL before Linux 6.14
	}
	// All other errors are temporary: a full buffer (EAGAIN, ENOBUFS, ENOMEM), a firewall (EPERM, EACCES), a lost route
	// or address (ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ENETDOWN).
	return runPassing
}

// isLostSource reports whether err says that the machine no longer has the requested source address.
func isLostSource(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENETUNREACH)
}
