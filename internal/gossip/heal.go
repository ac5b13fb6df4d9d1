package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// meetFor is how long a contact with a node that may be there again takes at most.
const meetFor = 10 * time.Second

// healing is the Healing of a core, and what the core does about it.
type healing struct {
	*overlay.Healing
	core    *Core
	contact timer.Timer
	compare timer.Timer
}

// schedule sets the timers after an input to the Healing.
func (h *healing) schedule() {
	h.core.overlay.schedule(&h.contact, h.ContactAt())
	h.core.overlay.schedule(&h.compare, h.CompareAt())
}

// memberDied makes a contact with a dead node due.
func (h *healing) memberDied(now time.Time) {
	h.MemberDied(now)
	h.schedule()
}

// memberReturned says that a node lives after all that was dead to this one.
func (h *healing) memberReturned(now time.Time, m *members.Entry) {
	h.MemberReturned(now, m)
	h.schedule()
}

// contactDead begins a Join with a node that is dead to this one, or with another at its address.
func (h *healing) contactDead(now time.Time) {
	addr, ok := h.Contact(now, h.core.gateway.Admits())
	if h.schedule(); ok {
		h.meet(now, addr)
	}
}

// meet begins a Join at an address that nobody waits for, unless a Join there is under way.
func (h *healing) meet(now time.Time, to netip.AddrPort) {
	if !h.core.joins.begun(to) {
		h.core.joins.begin(now, 0, to, wire.NodeID{}, now.Add(meetFor))
	}
}

// meetNode is meet with one node, and no other that may be at the address.
func (h *healing) meetNode(now time.Time, to netip.AddrPort, id wire.NodeID) {
	if !h.core.joins.begun(to) {
		h.core.joins.begin(now, 0, to, id, now.Add(dialFor))
	}
}

// Seek begins a Join with some of the seeds at whose addresses there is no live member.
func (c *Core) Seek(now time.Time, seeds []netip.AddrPort) {
	linked := func(a netip.AddrPort) bool {
		return slices.ContainsFunc(c.links, func(p *peer) bool { return p.set.Path().Remote == a && p.set.Current(now) != nil })
	}
	for _, to := range c.heal.Seeds(seeds, linked) {
		c.heal.meet(now, to)
	}
}

// compareReturned compares tables and exchanges states with a member that has returned.
func (h *healing) compareReturned(now time.Time) {
	m := h.Compare(now)
	if h.schedule(); m == nil {
		return
	}
	c := h.core
	if p := c.peers[m.ID]; p != nil && p.set.Current(now) != nil {
		c.push.begin(now, p, false)
	} else {
		c.hs.dial(now, wire.Path{Remote: m.Addr}, joining.Dial{Purpose: joining.ForComparison, Member: m.ID}, now.Add(meetFor))
	}
}

// wakeUp follows a time in which this node did not run, so long that the others took it for dead. They have closed its
// sessions, and a packet of a closed session is never answered.
func (h *healing) wakeUp(now time.Time) {
	c := h.core
	if !c.members.Self().Live() || c.members.Count() < 2 {
		return
	}
	c.reporter.warn(now, "asleep", "this node did not run for a while: shaking hands anew")
	c.membership.refute(now, 0)
	for _, p := range c.links {
		if !p.legacy && !c.hs.dials.Dialing(p.id) {
			c.hs.dial(now, p.set.Path(), joining.Dial{Purpose: joining.ForGreeting, Member: p.id}, now.Add(meetFor))
		}
	}
}

// asleepFor is the lateness of a timer from which on a node counts as dead to the others.
func (h *healing) asleepFor() time.Duration {
	return swim.SilenceOf(h.core.cfg.Heartbeat, h.core.cfg.ProbeInterval, swim.SilenceLost)
}
