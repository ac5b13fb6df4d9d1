package udp

import "golang.org/x/sys/unix"

// Probes says whether datagrams can be kept from being cut on their way.
const Probes = true

// Whole makes the datagrams that follow travel whole or not at all, whatever the system knows of the path, as
// those must that measure it; or lets the system cut them again (ip(7), IP_MTU_DISCOVER).
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
