//go:build !linux

package udp

// Probes reports whether fragmentation of a datagram can be prevented. Where it is false, no path is measured.
const Probes = false

// Whole does nothing on these systems.
func (c *Conn) Whole(bool) {}
