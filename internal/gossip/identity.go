package gossip

import (
	"net/netip"
	"time"
)

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
