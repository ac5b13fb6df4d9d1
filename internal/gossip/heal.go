package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// meetFor is how long a contact with a node that may be there again takes at most.
const meetFor = 10 * time.Second

// healing is the Healing, with the timers that the core keeps for it.
type healing struct {
	*overlay.Healing
	contact timer.Timer
	compare timer.Timer
}

// scheduleHealing sets the timers after an input to the Healing.
func (c *Core) scheduleHealing() {
	c.schedule(&c.heal.contact, c.heal.ContactAt())
	c.schedule(&c.heal.compare, c.heal.CompareAt())
}

// contactDead begins a Join with a node that is dead to this one, or with another at its address.
func (c *Core) contactDead(now time.Time) {
	addr, ok := c.heal.Contact(now, c.gateway.Admits())
	if c.scheduleHealing(); ok {
		c.meet(now, addr)
	}
}

// meet begins a Join at an address that nobody waits for, unless a Join there is under way.
func (c *Core) meet(now time.Time, to netip.AddrPort) {
	if !slices.ContainsFunc(c.joins, func(j *join) bool { return j.to == to }) {
		c.beginJoin(now, 0, to, now.Add(meetFor))
	}
}

// meetNode is meet with one node, and no other that may be at the address.
func (c *Core) meetNode(now time.Time, to netip.AddrPort, id wire.NodeID) {
	if !slices.ContainsFunc(c.joins, func(j *join) bool { return j.to == to }) {
		c.beginJoinOf(now, id, &join{to: to, until: now.Add(dialFor), push: c.push.NewJoin(0)})
	}
}

// Seek begins a Join with some of the seeds at whose addresses there is no live member.
func (c *Core) Seek(now time.Time, seeds []netip.AddrPort) {
	linked := func(a netip.AddrPort) bool {
		return slices.ContainsFunc(c.links, func(p *peer) bool { return p.set.Path().Remote == a && p.set.Current(now) != nil })
	}
	for _, to := range c.heal.Seeds(seeds, linked) {
		c.meet(now, to)
	}
}

// memberReturned says that a node lives after all that was dead to this one.
func (c *Core) memberReturned(now time.Time, m *members.Entry) {
	c.heal.MemberReturned(now, m)
	c.scheduleHealing()
}

// compareReturned compares tables and exchanges states with a member that has returned.
func (c *Core) compareReturned(now time.Time) {
	m := c.heal.Compare(now)
	if c.scheduleHealing(); m == nil {
		return
	}
	if p := c.peers[m.ID]; p != nil && p.set.Current(now) != nil {
		c.pushPull(now, p, false)
	} else {
		c.dial(now, wire.Path{Remote: m.Addr}, dial{member: m.ID, full: true}, now.Add(meetFor))
	}
}

// wakeUp follows a time in which this node did not run, so long that the others took it for dead. They
// have closed its sessions, and a box of a session that is closed is never answered.
func (c *Core) wakeUp(now time.Time) {
	if !c.self.Live() || c.members.Count() < 2 {
		return
	}
	c.warn(now, "asleep", "this node did not run for a while: shaking hands anew")
	c.refute(now, 0)
	for _, p := range c.links {
		if !p.legacy && !c.dialing(p.id) {
			c.dial(now, p.set.Path(), dial{member: p.id, greets: true}, now.Add(meetFor))
		}
	}
}

// asleepFor is the lateness of a timer from which on a node counts as dead to the others.
func (c *Core) asleepFor() time.Duration {
	return swim.SilenceOf(c.cfg.Heartbeat, c.cfg.ProbeInterval, swim.SilenceLost)
}
