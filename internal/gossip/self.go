package gossip

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// SetMeta changes the metadata of this node and tells the links at once. After an error nothing has
// changed. meta is not kept.
func (c *Core) SetMeta(now time.Time, meta []byte) error {
	before := c.self.Meta
	c.self.Meta = bytes.Clone(meta)
	if err := c.members.Fits(c.entryRoom()); err != nil {
		c.self.Meta = before
		return err
	}
	if !c.self.Live() { // it is told when it joins again
		return nil
	}
	c.renewSelf(now, c.self.Incarnation)
	c.flushNews(now)
	if !bytes.Equal(before, meta) {
		c.emitMember(EventUpdate, c.self)
	}
	return nil
}

// entryRoom is the most bytes that an entry may have: more do not fit into a datagram, and nobody could pass it on.
func (c *Core) entryRoom() int { return c.cfg.DatagramSize - wire.BoxOverhead - membersOverhead }

// Readdress tells the others that this node is reached at another address from now on.
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

// renewSelf gives this node a higher incarnation than it and the cluster know, and spreads it.
func (c *Core) renewSelf(now time.Time, above uint64) {
	c.members.Renew(now, above)
	c.selfChanged(now)
}

// selfChanged spreads a new incarnation of this node.
func (c *Core) selfChanged(now time.Time) {
	c.hs.SetIncarnation(c.self.Incarnation)
	c.memberChanged(now)
	c.spread(now, c.self, nil, flooded)
}

// refute gives this node an incarnation that ends all suspicions of those up to above, and of its own before. Other
// nodes take it as proof that this node heard the accusation, so nothing else may do it.
func (c *Core) refute(now time.Time, above uint64) {
	c.members.Refute(now, above)
	c.selfChanged(now)
}
