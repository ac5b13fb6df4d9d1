package udp

import "golang.org/x/sys/unix"

// Probes reports whether fragmentation of a datagram can be prevented.
const Probes = true

// Whole(true) prevents fragmentation of the following datagrams, whatever the system knows about the path, as path
// measurements need. Whole(false) allows fragmentation again (ip(7), IP_MTU_DISCOVER).
func (c *Conn) Whole(on bool) {
	v4, v6 := unix.IP_PMTUDISC_WANT, unix.IPV6_PMTUDISC_WANT
	if on {
		v4, v6 = unix.IP_PMTUDISC_PROBE, unix.IPV6_PMTUDISC_PROBE
	}
	withFD(c.c, func(fd int) {
		if c.v4 {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, v4)
		}
		if c.v6 {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, v6)
		}
	})
}
