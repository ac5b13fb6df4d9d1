package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// What only tests query of a core.

// Member returns a live member.
func (c *Core) Member(id wire.NodeID) (Member, bool) {
	if m := c.members.Get(id); m != nil && m.Live() {
		return m.Member, true
	}
	return Member{}, false
}

// NumGo returns the number of live Go members, including this node.
func (c *Core) NumGo() int { return c.members.CountGo() }

// HealthScore returns the local health multiplier of this node, from 0 for healthy to AwarenessMaxMultiplier - 1.
func (c *Core) HealthScore() int { return c.swim.Health() }

// Version changes whenever the live members or their data change.
func (c *Core) Version() uint64 { return c.members.Version() }

// Repeat sends a broadcast from before a member joined to that member.
func (c *Core) Repeat(now time.Time, to wire.NodeID, data []byte, until time.Time) error {
	return c.SendMember(now, to, wire.UseRepeat, data, until)
}
