package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newGateway(c *Core) gateway {
	return gateway{core: c, timer: timer.Timer{Fire: c.gateway.tick}, Gateway: legacy.New(legacy.Config{
		Admits: c.cfg.AllowLegacy && !c.cfg.Labeled, Subscriptions: c.cfg.Subscriptions, Allow: c.cfg.Allow}, c.rng)}
}

// legacyNode gives a legacy.Gateway what it queries of a core.
type legacyNode struct{ c *Core }

func (n legacyNode) Peer(id wire.NodeID) *legacy.Peer {
	if p := n.c.peers[id]; p != nil {
		return p.gateway
	}
	return nil
}

func (n legacyNode) Contact(now time.Time, of *legacy.Peer) legacy.Contact {
	p := n.c.peers[of.ID()]
	if p == nil {
		return legacy.Contact{}
	}
	o := &p.overlay
	return legacy.Contact{Session: p.Sessions.Current(now) != nil, Opened: p.Sessions.LastOpened(), Heard: p.Swim.Heard, Linked: p.Linked,
		Subscribing: o.Subscribing(), AskedAt: o.RequestedAt(), Subscriber: o.Subscriber(),
		Undecided: p.push.Asked(), Vetoed: p.push.Vetoed, Remote: p.Sessions.Path().Remote, Zone: p.Node.Zone}
}

func (n legacyNode) Links() (count int) {
	for _, p := range n.c.links {
		if p.Legacy {
			count++
		}
	}
	return count
}

func (n legacyNode) Dialing(id wire.NodeID) bool { return n.c.hs.dials.Dialing(id) }

func (n legacyNode) Avoids(now time.Time, id wire.NodeID) bool { return n.c.overlay.Avoids(now, id) }

func (n legacyNode) Advertised() netip.AddrPort { return n.c.cfg.Advertise }

// conclude acts on the outcomes that one input to the Gateway has appended to g.outcomes.
func (g *gateway) conclude(now time.Time, out []legacy.Outcome) {
	c := g.core
	if g.TimerChanged() {
		if at := g.NextTimeout(); !at.IsZero() {
			c.timers.Set(&g.timer, at)
		}
	}
	g.outcomes.Work(out, func(o *legacy.Outcome) { g.act(now, o) })
}

// tick handles the timeouts of the Gateway that are due.
func (g *gateway) tick(now time.Time) {
	c := g.core
	for timer.Due(g.NextTimeout(), now) {
		g.conclude(now, g.HandleTimeout(g.outcomes, now, legacyNode{c}, &c.members))
	}
}

func (g *gateway) act(now time.Time, o *legacy.Outcome) {
	c := g.core
	if o.Peer == nil {
		g.actOnNode(now, o)
	} else if p := c.peers[o.Peer.ID()]; p != nil {
		g.actOnPeer(now, p, o)
	}
}

func (g *gateway) actOnPeer(now time.Time, p *peer, o *legacy.Outcome) {
	c := g.core
	switch o.Kind {
	case legacy.Ping:
		c.sender.Ping(now, &p.Peer)
	case legacy.Request:
		c.sender.SendRequest(now, &p.Peer, o.Request)
	case legacy.Subscribe:
		c.overlay.conclude(now, c.overlay.Request(c.overlay.acts, now, &p.overlay))
	case legacy.Resubscribe:
		p.overlay.RequestedAgain(now)
		c.sender.SendRequest(now, &p.Peer, wire.KindStartSubscription)
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
	e := o.Entry
	if c.push.hold(now, c.members.Get(e.ID), e, nil, byNews) {
		return
	}
	c.membership.applyAlive(now, e, nil, byNews)
	g.conclude(now, g.Introduced(g.outcomes, now, legacyNode{c}, &c.members, o.Peer))
}

func (g *gateway) actOnNode(now time.Time, o *legacy.Outcome) {
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
	case legacy.CalledDown:
		c.report.LegacyDown(now)
	default:
		g.pass(now, o)
	}
}

// pass sends nodes what the Gateway reports to them about each other.
func (g *gateway) pass(now time.Time, o *legacy.Outcome) {
	c := g.core
	switch o.Kind {
	case legacy.PassQuestion:
		g.passQuestion(now, o)
	case legacy.SendEntry:
		if p := c.peers[o.ID]; p != nil {
			w := c.entries.News(&p.Peer)
			w.Add(now, o.Member)
			w.Flush(now)
		}
	case legacy.StatusArrived:
		if p := c.peers[o.From]; p != nil && c.broadcast.Seen.First(now, &o.Status, &p.Neighbor.Source) {
			g.conclude(now, g.HandleStatus(g.outcomes, now, legacyNode{c}, &c.members, *o))
		}
	case legacy.PassStatus:
		g.passStatus(now, o.From, o.Status, o.Of, o.Up)
	case legacy.AnnounceStatus:
		g.announceStatus(now, o.Of, o.Up)
	}
}

// passQuestion sends the query whether a gwyh 0.1 member is heard to all linked Go nodes except its sender.
func (g *gateway) passQuestion(now time.Time, o *legacy.Outcome) {
	c := g.core
	for _, p := range c.links {
		if p.ID == o.From || p.Legacy {
			continue
		}
		w := c.entries.News(&p.Peer)
		w.AddAccusation(now, o.Member.ID, o.Incarnation, o.By)
		w.Flush(now)
	}
}

// passStatus sends a PeerStatus to all gwyh 0.1 peers except the one that it came from.
func (g *gateway) passStatus(now time.Time, from wire.NodeID, id wire.MessageID, of wire.Peer, up bool) {
	c := g.core
	for _, p := range c.links {
		known := p.ID == from || p.ID == of.ID
		if p.Legacy && !known && legacy.Tellable(p.Sessions.Path().Remote, of.Addr) {
			c.sender.Send(now, &p.Peer, wire.AppendPeerStatus(c.sender.Begin(), id, of, up))
		}
	}
}

// announceStatus sends the gwyh 0.1 peers the status of a node. Its id counts as seen, so forwarded copies are ignored.
func (g *gateway) announceStatus(now time.Time, of wire.Peer, up bool) {
	c := g.core
	id := c.newID()
	c.broadcast.Seen.First(now, &id, nil)
	g.passStatus(now, wire.NodeID{}, id, of, up)
}

// leave reports this node as down to gwyh 0.1 nodes. It sends no EndSubscription, because that would spread through
// their cluster and end the links of other nodes (PROTOCOL.md L2).
func (g *gateway) leave(now time.Time) {
	c := g.core
	g.announceStatus(now, wire.Peer{Addr: c.members.Self().Addr, ID: c.members.Self().ID, Zone: c.members.Self().Zone}, false)
}

// heard handles the fact that a packet of a gwyh 0.1 peer opened: the peer is alive.
func (g *gateway) heard(now time.Time, p *peer) {
	c := g.core
	n, t := legacyNode{c}, &c.members
	g.conclude(now, g.EndCheck(g.outcomes, now, t, p.gateway))
	g.AnswerQuestion(now, p.gateway)
	g.conclude(now, g.Heard(g.outcomes, now, n, t, p.gateway))
	g.conclude(now, g.Subscribe(g.outcomes, now, n, t, p.gateway))
}

// apply handles an entry of a Go node about a gwyh 0.1 node.
func (g *gateway) apply(now time.Time, e *wire.Member, from *peer, how route) {
	c := g.core
	var sender wire.NodeID
	if from != nil {
		sender = from.ID
	}
	out, verdict := g.Weigh(g.outcomes, now, legacyNode{c}, &c.members, e, sender, how == byComparison)
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
	c := g.core
	list := legacy.Members(&c.members)
	if len(list) == 0 {
		return
	}
	n := legacyNode{c}
	g.conclude(now, g.Choose(g.outcomes, now, n, &c.members, list))
	g.conclude(now, g.AskAgain(g.outcomes, now, n, &c.members, list))
}

// tickPeer monitors a gwyh 0.1 peer. It returns the time of the next call.
func (g *gateway) tickPeer(now time.Time, p *peer) time.Time {
	c := g.core
	out, next := g.Tick(g.outcomes, now, legacyNode{c}, &c.members, p.gateway)
	g.conclude(now, out)
	return next
}

// ready handles the end of a handshake with a gwyh 0.1 peer.
func (g *gateway) ready(now time.Time, p *peer) {
	c := g.core
	g.conclude(now, g.Ready(g.outcomes, now, legacyNode{c}, &c.members, p.gateway))
}

// askSeed handles the first contact with a gwyh 0.1 seed.
func (g *gateway) askSeed(now time.Time, p *peer) {
	g.AskSeed(now, p.gateway)
	g.conclude(now, g.outcomes)
}

// handleOpened handles an opened packet of a gwyh 0.1 peer. Like gwyh 0.1, it ignores everything after the first
// message. It reports whether the message is a broadcast.
func (g *gateway) handleOpened(now time.Time, p *peer, m *wire.Message, plain []byte) (broadcast bool) {
	c := g.core
	g.heard(now, p)
	if _, err := wire.ParseMessage(m, plain); err != nil {
		c.drop(stats.DropMalformedBody)
		return false
	}
	c.report.Message(now, p.ID, m)
	out, broadcast := g.HandleMessage(g.outcomes, now, legacyNode{c}, &c.members, p.gateway, m, c.ids.Made(&m.ID))
	g.conclude(now, out)
	return broadcast
}
