package gossip

import (
	"slices"
	"time"
)

// A link begins in linkUp and ends in linkDown, and nowhere else. Both tell every component about it, always in the same
// order, after the list of links has changed.

// linkUp begins the link with p.
func (c *Core) linkUp(now time.Time, p *peer) {
	p.linked = true
	c.links = append(c.links, p)
	p.packets.SetLinked(now, true)
	c.logLink(now, p)
	c.swim.LinkUp(now, &p.swim)
	if p.packets.RTT() == 0 && !p.legacy {
		c.ping(now, p) // who answered the handshake does not know the round trip
	}
	c.heartbeatLinkUp(now, p)
	c.mtuLinkUp(now, p)
	c.broadcastLinkUp(now, p)
	c.joins.linked(now)
}

// linkDown ends the link with p.
func (c *Core) linkDown(now time.Time, p *peer) {
	p.linked = false
	c.links = slices.DeleteFunc(c.links, func(o *peer) bool { return o == p })
	p.packets.SetLinked(now, false)
	c.logLink(now, p)
	c.swim.LinkDown(&p.swim)
	p.packets.Path().LinkDown()
	c.broadcastLinkDown(now, p)
}
