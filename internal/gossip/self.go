package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// SetMeta changes the metadata of this node and sends it along the links at once. It keeps a copy of meta. An
// error means that the metadata does not fit into a datagram and has not changed.
func (c *Core) SetMeta(now time.Time, meta []byte) error {
	changed, err := c.members.SetMeta(meta, c.entryRoom())
	if err != nil || !c.self.Live() { // a node that has left tells it when it joins again
		return err
	}
	c.renewSelf(now, c.self.Incarnation)
	c.flushNews(now)
	if changed {
		c.emitMember(EventUpdate, c.self)
	}
	return nil
}

// entryRoom is the most bytes that an entry may have. A longer one does not fit into a datagram, so no node could
// pass it on.
func (c *Core) entryRoom() int { return c.cfg.DatagramSize - wire.BoxOverhead - membersOverhead }

// Readdress tells the other nodes that this node has another address from now on.
func (c *Core) Readdress(now time.Time, to netip.AddrPort) {
	if to == c.cfg.Advertise || !to.IsValid() || to.Port() == 0 {
		return
	}
	c.cfg.Advertise, c.self.Addr = to, to
	c.hs.SetAdvertise(to)
	if c.self.Live() {
		c.renewSelf(now, 0)
		c.emitMember(EventUpdate, c.self)
	}
}

// renewSelf gives this node a higher incarnation than its own and than above, and spreads it.
func (c *Core) renewSelf(now time.Time, above uint64) {
	c.members.Renew(now, above)
	c.selfChanged(now)
}

// selfChanged spreads a new incarnation of this node.
func (c *Core) selfChanged(now time.Time) {
	c.hs.SetIncarnation(c.self.Incarnation)
	c.memberChanged(now)
	c.spread(now, c.self, nil, byNews)
}

// refute gives this node an incarnation that ends all suspicions of those up to above, and of its own before. Other
// nodes take it as proof that this node heard the accusation, so nothing else may do it.
func (c *Core) refute(now time.Time, above uint64) {
	c.members.Refute(now, above)
	c.selfChanged(now)
}
