package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// DatagramProbed is the largest datagram that is probed for beyond the configured size.
const DatagramProbed = pmtu.Probed

// mtuLinkUp begins the search for the largest datagram of a new link.
func (h *handshakes) mtuLinkUp(now time.Time, p *peer) {
	c := h.core
	p.packets.SearchPath(now, c.rng)
	h.tellPath(now, p)
}

// tickPath goes on with the search for the largest datagram to p. It returns when it is next needed.
func (h *handshakes) tickPath(now time.Time, p *peer) (next time.Time) {
	c := h.core
	next, gaveUp := p.packets.TickPath(now)
	if gaveUp != 0 {
		c.reporter.warn(now, "mtu", "datagrams of %d bytes to %s do not arrive: going on with %d", gaveUp, c.reporter.whoIs(p.id), p.packets.Path().Size())
	}
	h.tellPath(now, p)
	return next
}

// tellPath writes how large the datagrams to a peer may be, if that was found since the last call.
func (h *handshakes) tellPath(now time.Time, p *peer) {
	c := h.core
	if size, ok := p.packets.Path().Found(); ok {
		c.reporter.log(now, logbook.Path, "datagrams of %d bytes reach %s", size, c.reporter.whoIs(p.id))
	}
}

// Refused notes that the system did not take a datagram. One that is too big for its path makes those to
// its peer smaller, down to what any path carries (the answer of RFC 8899 to a local verdict); for any
// other reason sending pauses for a moment. It is no loss: nothing is said about the path.
func (c *Core) Refused(now time.Time, to wire.Path, size int, tooBig bool) {
	for _, p := range c.hs.peersAt(to) {
		if tooBig {
			p.packets.TooBig(now, size)
		} else if p.linked {
			p.packets.Pace().Backoff(now)
		}
	}
}

// peersAt is the Go nodes that are sent to at an address.
func (h *handshakes) peersAt(to wire.Path) (found []*peer) {
	c := h.core
	for _, p := range c.peers {
		if !p.legacy && p.set.Path().Remote == to.Remote {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *peer) int { return slices.Compare(a.id[:], b.id[:]) })
	return found
}
