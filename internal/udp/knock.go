package udp

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// When knocks follow each other. They are few because systems answer few: Linux six at once to one
// address, then one a second, and the Hellos of the node count there too.
const (
	knockFirst = 200 * time.Millisecond // who answers a Hello by then is not knocked at
	knockAgain = 500 * time.Millisecond
	knockLong  = 4 * time.Second // most between two while nothing is heard
)

// Knock finds out that nothing listens at an address, where the system there says so and the system here
// tells: the ICMP message comes as an error to a socket that is connected there, as those of a node are
// not. So Knock opens one, on the local address if that is a specific one and on any free port, and sends
// datagrams that no node minds. It calls refused each time one is refused, with how long ago the first
// was sent that was. It returns when ctx ends, when somebody answers, and when it cannot find out.
func Knock(ctx context.Context, local netip.Addr, to netip.AddrPort, refused func(since time.Duration)) {
	if !pause(ctx, knockFirst) {
		return
	}
	var from *net.UDPAddr
	if local.IsValid() && !local.IsUnspecified() {
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	c, err := net.DialUDP("udp", from, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	b := noise()
	var since time.Time
	for wait := knockAgain; ; {
		sent := time.Now()
		next := sent.Add(wait)
		switch err := knock(c, b, next); {
		case isRefused(err):
			if since.IsZero() {
				since = sent
			}
			refused(sent.Sub(since))
			wait = knockAgain
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

// knock sends one datagram and waits for the error that it draws, or for an answer, which is nil.
func knock(c *net.UDPConn, b []byte, until time.Time) error {
	if err := c.SetReadDeadline(until); err != nil {
		return err
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 512))
	return err
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

// noise is a box of a node that nobody knows. A node of this library counts it and does nothing
// (PROTOCOL.md S6); one of gwyh 0.1 drops it too, as was seen (transcript 10e), while nobody knows what
// one does with a datagram that is no packet.
func noise() []byte {
	var box struct {
		sender wire.NodeID
		nonce  [24]byte
		tag    [16]byte
		data   [16]byte
	}
	for _, b := range [][]byte{box.sender[:], box.nonce[:], box.tag[:], box.data[:]} {
		_, _ = rand.Read(b)
	}
	box.sender[6], box.sender[8] = box.sender[6]&0x0f|0x40, box.sender[8]&0x3f|0x80 // a UUID of version 4
	return wire.AppendBoxArrays(nil, 1, box.sender, &box.nonce, &box.tag, box.data[:])
}
