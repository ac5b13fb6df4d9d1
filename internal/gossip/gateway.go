package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/bridge"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newGateway(c *Core) gateway {
	return gateway{core: c, timer: timer.Timer{Fire: c.gateway.tick}, Gateway: legacy.New(legacy.Config{
		Admits: c.cfg.AllowLegacy && !c.cfg.Labeled, Subscriptions: c.cfg.Subscriptions, Allow: c.cfg.Allow}, c.rng)}
}

// newBridge returns the messages between gwyh 0.1 nodes and Go nodes of c, whose components are set.
func newBridge(c *Core) *bridge.Bridge {
	return bridge.New(bridge.Config{Gateway: c.gateway.Gateway, Delivery: c.delivery, Entries: c.entries, Members: &c.members, Overlay: c.overlay.Overlay,
		Dials: c.hs.dials, IDs: &c.ids, Report: c.report})
}

// conclude acts on the outcomes that one input to the Gateway has appended to g.outcomes.
func (g *gateway) conclude(now time.Time, out []legacy.Outcome) {
	if g.TimerChanged() {
		if at := g.NextTimeout(); !at.IsZero() {
			g.core.timers.Set(&g.timer, at)
		}
	}
	g.outcomes.Work(out, func(o *legacy.Outcome) {
		if !g.bridge.Perform(now, o) {
			g.act(now, o)
		}
	})
}

// tick handles the timeouts of the Gateway that are due.
func (g *gateway) tick(now time.Time) {
	for timer.Due(g.NextTimeout(), now) {
		g.conclude(now, g.HandleTimeout(g.outcomes, now, g.bridge, &g.core.members))
	}
}

func (g *gateway) act(now time.Time, o *legacy.Outcome) {
	c := g.core
	switch o.Kind {
	case legacy.Dial:
		c.hs.dialMember(now, wire.Path{Remote: o.Addr}, o.ID, dialFor)
	case legacy.ContactAddr:
		c.heal.contact(now, o.Addr)
	case legacy.ContactNode:
		c.heal.contactNode(now, o.Addr, o.ID)
	case legacy.Choose:
		c.overlay.conclude(now, c.overlay.Subscribe(c.overlay.acts, now, &c.overlay, o.ID))
	case legacy.Avoid:
		c.overlay.conclude(now, c.overlay.Avoid(c.overlay.acts, now, o.ID))
	case legacy.Renewed:
		c.memberChanged(now)
		c.membership.spread(now, o.Member, nil, byNews)
	case legacy.Dead:
		c.membership.declareDead(now, o.Member)
	case legacy.StatusArrived:
		if g.bridge.IsNews(now, o) {
			g.conclude(now, g.HandleStatus(g.outcomes, now, g.bridge, &c.members, *o))
		}
	default:
		if p := c.peers[o.Peer.ID()]; p != nil {
			g.actOnPeer(now, p, o)
		}
	}
}

func (g *gateway) actOnPeer(now time.Time, p *peer, o *legacy.Outcome) {
	c := g.core
	switch o.Kind {
	case legacy.Subscribe:
		c.overlay.conclude(now, c.overlay.Request(c.overlay.acts, now, &p.overlay))
	case legacy.Serve:
		c.overlay.conclude(now, c.overlay.AddSubscriber(c.overlay.acts, &p.overlay))
	case legacy.Confirmed:
		if p.overlay.Requested() {
			c.overlay.conclude(now, c.overlay.SetStarted(c.overlay.acts, &p.overlay))
		}
	case legacy.EndLink:
		c.overlay.unlink(now, p)
	case legacy.Shake:
		c.hs.dialMember(now, p.Sessions.Path(), p.ID, dialFor)
	case legacy.Introduce:
		g.introduce(now, o)
	}
}

// introduce makes a gwyh 0.1 node a member, unless the application must decide first or the node is not admitted.
func (g *gateway) introduce(now time.Time, o *legacy.Outcome) {
	c := g.core
	if !c.push.hold(now, c.members.Get(o.Entry.ID), o.Entry, nil, byNews) {
		c.membership.applyAlive(now, o.Entry, nil, byNews)
		g.conclude(now, g.Introduced(g.outcomes, now, g.bridge, &c.members, o.Peer))
	}
}

// apply handles an entry of a Go node about a gwyh 0.1 node.
func (g *gateway) apply(now time.Time, e *wire.Member, from *peer, how route) {
	c := g.core
	out, verdict := g.Weigh(g.outcomes, now, g.bridge, &c.members, e, idOf(from), how == byComparison)
	g.conclude(now, out)
	switch m := c.members.Get(e.ID); {
	case verdict == legacy.Outdated:
		c.membership.outdated = append(c.membership.outdated, m)
	case verdict == legacy.Gone:
		c.membership.applyGone(now, e, from, how)
	case verdict == legacy.Alive && !c.push.hold(now, m, e, from, how):
		c.membership.applyAlive(now, e, from, how)
	}
}

// choose subscribes to the gwyh 0.1 members for which this node is a gate.
func (g *gateway) choose(now time.Time) {
	t := &g.core.members
	if list := legacy.Members(t); len(list) > 0 {
		g.conclude(now, g.Choose(g.outcomes, now, g.bridge, t, list))
		g.conclude(now, g.AskAgain(g.outcomes, now, g.bridge, t, list))
	}
}

// tickPeer monitors a gwyh 0.1 peer. It returns the time of the next call.
func (g *gateway) tickPeer(now time.Time, p *peer) time.Time {
	out, next := g.Tick(g.outcomes, now, g.bridge, &g.core.members, p.gateway)
	g.conclude(now, out)
	return next
}

// handleOpened handles an opened packet of a gwyh 0.1 peer, which shows that the peer is alive. Like gwyh 0.1, it ignores
// everything after the first message. It reports whether the message is a broadcast.
func (g *gateway) handleOpened(now time.Time, p *peer, m *wire.Message, plain []byte) (broadcast bool) {
	c, b, t := g.core, g.bridge, &g.core.members
	g.conclude(now, g.EndCheck(g.outcomes, now, t, p.gateway))
	g.AnswerQuestion(now, p.gateway)
	g.conclude(now, g.Heard(g.outcomes, now, b, t, p.gateway))
	g.conclude(now, g.Subscribe(g.outcomes, now, b, t, p.gateway))
	if _, err := wire.ParseMessage(m, plain); err != nil {
		c.drop(stats.DropMalformedBody)
		return false
	}
	c.report.Message(now, p.ID, m)
	out, broadcast := g.HandleMessage(g.outcomes, now, b, t, p.gateway, m, c.ids.Made(&m.ID))
	g.conclude(now, out)
	return broadcast
}
