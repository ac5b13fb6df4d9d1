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

// When knocks follow each other. They are few because systems answer few packets with an error, and the Hellos of
// the node count too: a closed port of Linux answers six at once and then one a second; a router of Linux, which spends twice
// its allowance on each (ip_error and icmpv4_xrlim_allow), answers two at once and then none until two seconds without a
// packet have passed. So the first knock comes before the second Hello.
const (
	knockFirst = 50 * time.Millisecond // if a Hello is answered by then, nobody knocks
	knockAgain = 500 * time.Millisecond
	knockLong  = 4 * time.Second // most between two while nothing is heard
)

// Errors of an address at which something answers that is no gwyh node: a node does not answer a knock.
var (
	ErrMemberlist = errors.New("a memberlist node is there, not a gwyh node")
	ErrStranger   = errors.New("another program answers there, not a gwyh node")
)

// Knock finds out that no node is to be reached at an address, where a system on the way says so and the system here
// tells: the ICMP message comes as an error to a socket that is connected there, as those of a node are not. So Knock
// opens one, on the local address if that is a specific one and on any free port, and sends datagrams that no node
// minds.
//
// It calls told each time it hears something, and again every half second while a system on the way that cannot deliver
// falls silent, with a syscall.Errno, ErrMemberlist or ErrStranger, and with how long ago the
// first datagram was sent that drew anything. It returns when ctx ends, when somebody answers, and when it cannot find out.
func Knock(ctx context.Context, local netip.Addr, to netip.AddrPort, told func(err error, since time.Duration)) {
	if !pause(ctx, knockFirst) {
		return
	}
	var from *net.UDPAddr
	if local.IsValid() && !local.IsUnspecified() {
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	c, err := net.DialUDP("udp", from, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return // the node's own datagram drew the same error
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	enableErrors(c)
	ping := newMemberlistPing()
	var since time.Time
	var unrouted error // what a system on the way said last, which falls silent after a few packets; nil if it said nothing
	for wait := knockAgain; ; {
		sent := time.Now()
		next := sent.Add(wait)
		switch err := knock(c, &ping, next); {
		case errors.Is(err, ErrMemberlist), errors.Is(err, ErrStranger):
			told(err, 0)
			return
		case reason(err) != nil:
			if since.IsZero() {
				since = sent
			}
			told(reason(err), lasting(reason(err), since, sent))
			wait = knockAgain
			if unrouted = reason(err); unrouted == syscall.ECONNREFUSED {
				unrouted = nil
			}
		case errors.Is(err, os.ErrDeadlineExceeded) && unrouted != nil:
			told(unrouted, time.Since(since))
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

// lasting is for how long an error has held, of which the first knock that drew any went out at since, and the last one at
// sent. A closed port answers at once. That nobody has an address the system here knows after some seconds of asking.
func lasting(err error, since, sent time.Time) time.Duration {
	if err == syscall.ECONNREFUSED {
		return sent.Sub(since)
	}
	return time.Since(since)
}

// reason is why the system, here or there, says that an address cannot be reached; nil if it says nothing like that.
func reason(err error) error {
	if isRefused(err) {
		return syscall.ECONNREFUSED // whatever Windows calls it
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok && !errno.Timeout() {
		return errno
	}
	return nil
}

// noRoute are the errors of a write that say that nothing can be sent to an address: there is no route, a route or a
// firewall forbids it (EPERM, EACCES), the route drops it (EINVAL), or no socket is of its family.
var noRoute = [...]syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EPERM, syscall.EACCES,
	syscall.EINVAL, syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL}

// NoRoute is why nothing can be sent to an address, of the error of a write; nil if that is not what it says.
func NoRoute(err error) error {
	for _, errno := range noRoute {
		if errors.Is(err, errno) {
			return errno
		}
	}
	return nil
}

// knock sends one datagram and waits for the error that it draws, or for an answer.
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

// pause reports whether it took its time, rather than that of ctx.
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
