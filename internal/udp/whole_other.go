//go:build !linux

package udp

// Probes says whether datagrams can be kept from being cut on their way. Where they cannot, no path is measured.
const Probes = false

// Whole does nothing on these systems.
func (c *Conn) Whole(bool) {}
