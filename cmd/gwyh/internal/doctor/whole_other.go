//go:build !linux

package doctor

import "net"

// setWhole does nothing on this system, which fragments datagrams that are too large for the path.
func setWhole(*net.UDPConn, bool) {}
