package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// SetMeta changes the metadata of this node and sends it along the links at once. It keeps a copy of meta. An
// error means that the metadata does not fit into a datagram and has not changed.
func (c *Core) SetMeta(now time.Time, meta []byte) error {
	changed, err := c.members.SetMeta(meta, c.membership.entryRoom())
	if err != nil || !c.members.Self().Live() { // a node that has left tells it when it joins again
		return err
	}
	c.membership.renewSelf(now, c.members.Self().Incarnation)
	c.membership.flushNews(now)
	if changed {
		c.events.emitMember(EventUpdate, c.members.Self())
	}
	return nil
}

// entryRoom is the most bytes that an entry may have. A longer one does not fit into a datagram, so no node could
// pass it on.
func (ms *membership) entryRoom() int {
	c := ms.core
	return c.cfg.DatagramSize - wire.BoxOverhead - membersOverhead
}

// Readdress tells the other nodes that this node has another address from now on.
func (c *Core) Readdress(now time.Time, to netip.AddrPort) {
	if to == c.cfg.Advertise || !to.IsValid() || to.Port() == 0 {
		return
	}
	c.cfg.Advertise, c.members.Self().Addr = to, to
	c.hs.SetAdvertise(to)
	if c.members.Self().Live() {
		c.membership.renewSelf(now, 0)
		c.events.emitMember(EventUpdate, c.members.Self())
	}
}

// renewSelf gives this node a higher incarnation than its own and than above, and spreads it.
func (ms *membership) renewSelf(now time.Time, above uint64) {
	c := ms.core
	c.members.Renew(now, above)
	ms.selfChanged(now)
}

// selfChanged spreads a new incarnation of this node.
func (ms *membership) selfChanged(now time.Time) {
	c := ms.core
	c.hs.SetIncarnation(c.members.Self().Incarnation)
	c.memberChanged(now)
	ms.spread(now, c.members.Self(), nil, byNews)
}

// refute gives this node an incarnation that ends all suspicions of those up to above, and of its own before. Other
// nodes take it as proof that this node heard the accusation, so nothing else may do it.
func (ms *membership) refute(now time.Time, above uint64) {
	c := ms.core
	c.members.Refute(now, above)
	ms.selfChanged(now)
}
