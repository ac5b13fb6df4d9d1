package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// leaving is the departure of this node, with the timer that the core keeps for it.
type leaving struct {
	joining.Leave
	timer timer.Timer
}

// Leave makes this node leave: it tells all links, and takes itself out of its own members. An EventDeparted follows
// when all links have confirmed it, or do not answer. The sessions stay until the core is dropped, so that late
// questions are answered.
func (c *Core) Leave(now time.Time) {
	if !c.self.Live() {
		if !c.leaving.timer.Pending() {
			c.events = append(c.events, Event{Kind: EventDeparted})
		}
		return
	}
	c.emitChange(c.members.Leave(now))
	c.log(now, logbook.Left, "this node leaves")
	c.memberChanged(now)
	c.spread(now, c.self, nil, byNews)
	c.flushNews(now)
	c.Flush(now)
	c.gateway.leave(now)
	var links []wire.NodeID
	for _, p := range c.links {
		if !p.legacy {
			links = append(links, p.id)
		}
	}
	c.leaving.Begin(links)
	c.overlay.conclude(now, c.overlay.Leave(c.overlay.acts, now))
	c.joins.endSilent(now)
	c.stepLeave(now)
}

// stepLeave tells the links that have not confirmed it that this node has left.
func (c *Core) stepLeave(now time.Time) {
	tell := c.leaving.Step(now, c.self.Live(), func(id wire.NodeID) bool { return c.overlay.Reachable(now, id) })
	for _, id := range tell {
		p := c.peers[id]
		w := wire.BeginMembers(c.plain[:0], c.newID())
		w.Append(c.self.Fill(&c.membership.entry), controlMax)
		c.plain = c.appendPing(w.End(), now, p, swim.Purpose{Leave: true})
		c.sendPlain(now, p, c.plain)
	}
	if c.schedule(&c.leaving.timer, c.leaving.Due()); len(tell) == 0 {
		c.events = append(c.events, Event{Kind: EventDeparted})
	}
}

// leaveConfirmed says that p knows that this node has left.
func (c *Core) leaveConfirmed(p *peer) {
	over := c.leaving.Confirmed(p.id)
	if c.schedule(&c.leaving.timer, c.leaving.Due()); over {
		c.events = append(c.events, Event{Kind: EventDeparted})
	}
}

// remind tells a peer that takes this node for a member that it has left.
func (c *Core) remind(now time.Time, p *peer) {
	if !c.self.Live() && !p.legacy {
		c.notify(now, p, c.self)
	}
}
