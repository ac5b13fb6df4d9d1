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
	core  *Core
	timer timer.Timer
}

// Leave makes this node leave: it tells all links, and takes itself out of its own members. An EventDeparted follows
// when all links have confirmed it, or do not answer. The sessions stay until the core is dropped, so that late
// questions are answered.
func (c *Core) Leave(now time.Time) {
	if !c.members.Self().Live() {
		if !c.leaving.timer.Pending() {
			c.events.add(Event{Kind: EventDeparted})
		}
		return
	}
	c.events.emit(c.members.Leave(now))
	c.reporter.log(now, logbook.Left, "this node leaves")
	c.memberChanged(now)
	c.membership.spread(now, c.members.Self(), nil, byNews)
	c.membership.flushNews(now)
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
	c.leaving.stepLeave(now)
}

// stepLeave tells the links that have not confirmed it that this node has left.
func (l *leaving) stepLeave(now time.Time) {
	c := l.core
	tell := l.Step(now, c.members.Self().Live(), func(id wire.NodeID) bool { return c.overlay.Reachable(now, id) })
	for _, id := range tell {
		p := c.peers[id]
		w := wire.BeginMembers(c.transport.plain[:0], c.newID())
		w.Append(c.members.Self().Fill(&c.membership.entry), controlMax)
		c.transport.plain = c.pings.appendPing(w.End(), now, p, swim.Purpose{Leave: true})
		c.transport.sendPlain(now, p, c.transport.plain)
	}
	if c.overlay.schedule(&l.timer, l.Due()); len(tell) == 0 {
		c.events.add(Event{Kind: EventDeparted})
	}
}

// leaveConfirmed says that p knows that this node has left.
func (l *leaving) leaveConfirmed(p *peer) {
	c := l.core
	over := l.Confirmed(p.id)
	if c.overlay.schedule(&l.timer, l.Due()); over {
		c.events.add(Event{Kind: EventDeparted})
	}
}

// remind tells a peer that takes this node for a member that it has left.
func (l *leaving) remind(now time.Time, p *peer) {
	c := l.core
	if !c.members.Self().Live() && !p.legacy {
		c.swim.notify(now, p, c.members.Self())
	}
}
