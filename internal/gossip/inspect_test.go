package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// What only tests ask of a core.

// Member returns what is known of a live member.
func (c *Core) Member(id wire.NodeID) (Member, bool) {
	if m := c.members.Get(id); m != nil && m.Live() {
		return m.Member, true
	}
	return Member{}, false
}

// NumGo is the number of live members that are Go nodes, this node included.
func (c *Core) NumGo() int { return c.members.CountGo() }

// HealthScore is how unwell this node is itself, from 0 for well to AwarenessMaxMultiplier - 1.
func (c *Core) HealthScore() int { return c.swim.Health() }

// Version changes whenever the live members or what is known of them do.
func (c *Core) Version() uint64 { return c.members.Version() }

// Repeat sends a broadcast from before a member joined to that member.
func (c *Core) Repeat(now time.Time, to wire.NodeID, data []byte, until time.Time) error {
	return c.SendMember(now, to, wire.UseRepeat, data, until)
}
