//go:build !linux

package udp

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"
)

// On these systems the route decides from which address an answer leaves, and the granted buffer sizes are not
// reported.

const oobSize = 0

func enablePktinfo(uintptr, bool) bool { return false }

func parseLocal([]byte) netip.Addr { return netip.Addr{} }

func appendSource(b []byte, _ netip.Addr) []byte { return b }

func grantedBuffers(*net.UDPConn) (receive, send int) { return 0, 0 }

// setBuffers halves the size until the system accepts it: some systems refuse a size above their limit instead of
// granting the limit.
func setBuffers(c *net.UDPConn) {
	for n := ReceiveBuffer; n >= 64<<10 && c.SetReadBuffer(n) != nil; n /= 2 {
	}
	for n := SendBuffer; n >= 64<<10 && c.SetWriteBuffer(n) != nil; n /= 2 {
	}
}

func isLostSource(error) bool { return false }

// enableErrors does nothing: these systems have no such option.
func enableErrors(*net.UDPConn) {}

// isStale reports whether err is about an earlier datagram of ours. Windows reports such errors on the next read.
func isStale(err error) bool {
	const wsaNetReset = syscall.Errno(10052)
	return isRefused(err) || runtime.GOOS == "windows" && errors.Is(err, wsaNetReset)
}

// isRefused reports whether err says that a datagram of ours found no socket at its target.
func isRefused(err error) bool {
	const wsaConnReset = syscall.Errno(10054)
	if runtime.GOOS == "windows" {
		return errors.Is(err, wsaConnReset)
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// sendmsg is empty here, because package net writes.
type sendmsg struct{}

var systemSendmsg sendmsg

func verdictOnRuns(error) runVerdict { return runPassing }

func takesRuns(*net.UDPConn) bool { return false }

func (c *Conn) writeRun([]byte, []byte, netip.AddrPort, int) error { return errors.ErrUnsupported }

func (c *Conn) write(b, oob []byte, to netip.AddrPort) error {
	_, _, err := c.c.WriteMsgUDPAddrPort(b, oob, to)
	return err
}

// There is no Reader on these systems. Each socket has a goroutine that reads with a deadline instead.
type batch struct{}

func newBatch(uintptr) *batch { return nil }

func (r *Reader) try(uintptr) {}

func (b *batch) rest() {}
