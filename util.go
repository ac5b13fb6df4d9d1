package gwyh

import "net"

// LogAddress returns the text by which log lines identify the peer at addr.
func LogAddress(addr net.Addr) string {
	if addr == nil {
		return LogStringAddress("")
	}
	return LogStringAddress(addr.String())
}

// LogStringAddress returns the text by which log lines identify the peer at addr.
func LogStringAddress(addr string) string {
	if addr == "" {
		return "from=<unknown address>"
	}
	return "from=" + addr
}

// LogConn returns the text by which log lines identify the peer of conn.
func LogConn(conn net.Conn) string {
	if conn == nil {
		return LogAddress(nil)
	}
	return LogAddress(conn.RemoteAddr())
}
