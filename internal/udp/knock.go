package udp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// Times between knocks. There are few knocks because systems limit the ICMP errors that they send, and the node's
// Hellos count too: a closed port on Linux answers six packets at once and then one per second. A Linux router charges
// twice for each error (ip_error and icmpv4_xrlim_allow), so it answers two at once and then none until no packet has
// arrived for two seconds. Therefore the first knock precedes the second Hello.
const (
	knockFirst = 50 * time.Millisecond // no knock is sent if a Hello is answered within this time
	knockAgain = 500 * time.Millisecond
	knockLong  = 4 * time.Second // maximum time between two knocks while there is no answer
)

// Errors for an address at which another program answers. A gwyh node does not answer a knock.
var (
	ErrMemberlist = errors.New("a memberlist node is there, not a gwyh node")
	ErrStranger   = errors.New("another program answers there, not a gwyh node")
)

// Knock detects that no node can be reached at an address, if a system on the path reports that by ICMP. The local
// system passes the report to a connected socket, which the sockets of a node are not. So Knock opens a connected
// socket, on the address local if that is specific and on any free port, and sends datagrams that every node ignores.
//
// Knock calls report for each such message, with a syscall.Errno, ErrMemberlist or ErrStranger. If a system on the path reports
// an error and then stays silent, Knock repeats that error every half second. since is the time since the first
// datagram that caused a report. Knock returns when ctx ends, when another program answers, and when it cannot find
// out.
func Knock(ctx context.Context, local netip.Addr, to netip.AddrPort, report func(err error, since time.Duration)) {
	if !pause(ctx, knockFirst) {
		return
	}
	var from *net.UDPAddr
	if local.IsValid() && !local.IsUnspecified() {
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	c, err := net.DialUDP("udp", from, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return // the node's own datagram has caused the same error
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	enableErrors(c)
	ping := newMemberlistPing()
	var since time.Time
	var unrouted error // last error from a system on the path; nil if there was none
	for wait := knockAgain; ; {
		sent := time.Now()
		next := sent.Add(wait)
		switch err := knock(c, &ping, next); {
		case errors.Is(err, ErrMemberlist), errors.Is(err, ErrStranger):
			report(err, 0)
			return
		case reason(err) != nil:
			if since.IsZero() {
				since = sent
			}
			report(reason(err), lasting(reason(err), since, sent))
			wait = knockAgain
			if unrouted = reason(err); unrouted == syscall.ECONNREFUSED {
				unrouted = nil
			}
		case errors.Is(err, os.ErrDeadlineExceeded) && unrouted != nil:
			report(unrouted, time.Since(since))
		case errors.Is(err, os.ErrDeadlineExceeded):
			wait = min(2*wait, knockLong)
		default:
			return
		}
		if !pause(ctx, time.Until(next)) {
			return
		}
	}
}

// lasting returns how long an error has lasted. since and sent are the times of the first and the last knock with an
// error. A closed port answers at once, but the system needs some seconds to find out that no machine has the address.
func lasting(err error, since, sent time.Time) time.Duration {
	if err == syscall.ECONNREFUSED {
		return sent.Sub(since)
	}
	return time.Since(since)
}

// reason returns the system error that says that an address cannot be reached, or nil if err is not such an error.
func reason(err error) error {
	if isRefused(err) {
		return syscall.ECONNREFUSED // the same error for every system's own code
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok && !errno.Timeout() {
		return errno
	}
	return nil
}

// noRoute lists the write errors that mean that nothing can be sent to an address: there is no route, a route or a
// firewall forbids it (EPERM, EACCES), the route drops it (EINVAL), or no socket has its family.
var noRoute = [...]syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EPERM, syscall.EACCES,
	syscall.EINVAL, syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL}

// NoRoute returns why nothing can be sent to an address, given a write error, or nil if err has another meaning.
func NoRoute(err error) error {
	for _, errno := range noRoute {
		if errors.Is(err, errno) {
			return errno
		}
	}
	return nil
}

// knock sends one datagram and waits for an error or an answer.
func knock(c *net.UDPConn, ping *memberlistPing, until time.Time) error {
	if err := c.SetReadDeadline(until); err != nil {
		return err
	}
	if _, err := c.Write(ping.packet); err != nil {
		return err
	}
	answer := make([]byte, answerMax)
	n, err := c.Read(answer)
	switch {
	case err != nil:
		return err
	case ping.isAnswer(answer[:n]):
		return ErrMemberlist
	}
	return ErrStranger
}

// pause waits for d and returns true. It returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
