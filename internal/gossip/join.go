package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newJoins(c *Core) joins {
	return joins{core: c, Joins: joining.NewJoins(joining.Config[*pushpull.Join]{Timers: &c.timers, Due: c.joins.timeout, StateTimeout: pushpull.ErrTimeout})}
}

func newHealing(c *Core) healing {
	h := &c.heal
	return healing{core: c, Healing: overlay.NewHealing(&c.members, c.rng, &c.timers, h.contactDead, h.compareReturned)}
}

func newLeaving(c *Core) leaving {
	return leaving{core: c, timer: timer.Timer{Fire: c.leaving.stepLeave}}
}

// Join contacts the node at an address and exchanges member lists with it. An event.Joined with the token reports the
// result, at the latest shortly after until.
func (c *Core) Join(now time.Time, to netip.AddrPort, until time.Time) event.JoinToken {
	c.joins.comeBack(now)
	t := c.joins.NewToken()
	c.joins.begin(now, t, to, wire.NodeID{}, until)
	return t
}

// ExtendJoin extends the deadline of a Join if the transport takes long to write its packets.
func (c *Core) ExtendJoin(t event.JoinToken, latest time.Time) { c.joins.Extend(t, latest) }

// CancelJoin ends a Join whose caller no longer waits for it.
func (c *Core) CancelJoin(now time.Time, t event.JoinToken) {
	c.joins.conclude(now, c.joins.Cancel(c.joins.outcomes, t))
}

// AbandonJoin ends a Join, as CancelJoin does, if no node has answered it yet.
func (c *Core) AbandonJoin(now time.Time, t event.JoinToken) {
	c.joins.conclude(now, c.joins.Abandon(c.joins.outcomes, t))
}

// begin begins a Join. token is 0 if no caller waits for it. If id is not zero, only the node with that id may answer.
func (s *joins) begin(now time.Time, token event.JoinToken, to netip.AddrPort, id wire.NodeID, until time.Time) {
	c := s.core
	at := joining.Place{Self: to == c.cfg.Advertise, Member: id}
	if p := c.delivery.PeerAt(now, to); p != nil {
		at.Peer = p.ID
	}
	s.conclude(now, s.Begin(s.outcomes, now, token, to, until, c.push.NewJoin(uint64(token)), at))
}

// conclude acts on the outcomes that one input to the Joins has appended to s.outcomes.
func (s *joins) conclude(now time.Time, out []joining.Outcome[*pushpull.Join]) {
	s.outcomes.Work(out, func(o *joining.Outcome[*pushpull.Join]) { s.act(now, o) })
}

func (s *joins) act(now time.Time, o *joining.Outcome[*pushpull.Join]) {
	c, j := s.core, o.Join
	switch o.Kind {
	case joining.Contact:
		j.Dialed(c.hs.dial(now, wire.Path{Remote: j.To()}, j.Dial(o.Member), j.Until()))
	case joining.Greet:
		c.hs.ready(now, c.peers[j.Peer()])
	case joining.AskSeed:
		c.gateway.AskSeed(now, c.peers[j.Peer()].gateway)
		c.gateway.conclude(now, c.gateway.outcomes)
	case joining.Advance:
		if p := c.peers[j.Peer()]; p != nil && !p.Legacy {
			c.push.conclude(now, c.push.AdvanceJoin(c.push.outcomes, now, &c.members, &p.push, j.Exchange, j.Until()))
		}
	case joining.Merge:
		j.Exchange.Synced = true
		c.overlay.chooseFirst(now)
		c.push.conclude(now, c.push.JoinSynced(c.push.outcomes, now, &c.members, j.Exchange))
		s.conclude(now, s.Settle(s.outcomes, now, j))
	case joining.Settled:
		s.linked(now)
	case joining.Prolong:
		c.hs.Extend(o.Attempt, j.Until())
	case joining.Ended:
		s.ended(now, o)
	}
}

func (s *joins) ended(now time.Time, o *joining.Outcome[*pushpull.Join]) {
	c := s.core
	if o.Attempt != 0 {
		c.hs.Cancel(o.Attempt)
		c.hs.dials.Take(o.Attempt)
	}
	c.push.conclude(now, c.push.EndJoin(c.push.outcomes, o.Join.Exchange))
	if t := o.Join.Token(); t != 0 {
		c.events.Add(event.Event{Kind: event.Joined, Token: t, Err: o.Err})
	}
}

// comeBack makes this node a member again if it has left.
func (s *joins) comeBack(now time.Time) {
	c := s.core
	if c.members.Self().Live() {
		return
	}
	c.members.Return(now)
	c.membership.refute(now, c.members.Self().Incarnation)
	c.events.EmitMember(event.Join, c.members.Self())
	c.report.Returning(now)
}

// ready continues the Joins that waited for a session with p.
func (s *joins) ready(now time.Time, p *peer) {
	s.conclude(now, s.SessionReady(s.outcomes, p.ID, p.Legacy))
}

// linked ends the Joins that wait only for a link, if there is one.
func (s *joins) linked(now time.Time) {
	if s.core.overlay.HasLink() {
		s.conclude(now, s.Linked(s.outcomes))
	}
}

func (s *joins) timeout(now time.Time, j *join) {
	var heard time.Time
	if p := s.core.peers[j.Peer()]; p != nil {
		heard = p.Swim.Heard
	}
	s.conclude(now, s.HandleTimeout(s.outcomes, now, j, heard, s.core.push.NewJoin(j.Exchange.Token)))
}

// contactDead begins a Join with a node that this node considers dead, or with another node at its address.
func (h *healing) contactDead(now time.Time) {
	if addr, ok := h.Contact(now, h.core.gateway.Admits()); ok {
		h.contact(now, addr)
	}
}

// contact begins a Join for which no caller waits, unless a Join to the same address is in progress.
func (h *healing) contact(now time.Time, to netip.AddrPort) {
	if !h.core.joins.Begun(to) {
		h.core.joins.begin(now, 0, to, wire.NodeID{}, now.Add(contactFor))
	}
}

// contactNode is like meet, but only the node with the given id may answer.
func (h *healing) contactNode(now time.Time, to netip.AddrPort, id wire.NodeID) {
	if !h.core.joins.Begun(to) {
		h.core.joins.begin(now, 0, to, id, now.Add(dialFor))
	}
}

// ContactSeeds begins Joins with some of the seeds at whose addresses there is no live member.
func (c *Core) ContactSeeds(now time.Time, seeds []netip.AddrPort) {
	linked := func(a netip.AddrPort) bool {
		return slices.ContainsFunc(c.links, func(p *peer) bool { return p.Sessions.Path().Remote == a && p.Sessions.Current(now) != nil })
	}
	for _, to := range c.heal.Seeds(seeds, linked) {
		c.heal.contact(now, to)
	}
}

// compareReturned compares tables and exchanges application state with a member that has returned.
func (h *healing) compareReturned(now time.Time) {
	c, m := h.core, h.Compare(now)
	if m == nil {
		return
	}
	if p := c.peers[m.ID]; p != nil && p.Sessions.Current(now) != nil {
		c.push.begin(now, p, false)
	} else {
		c.hs.dial(now, wire.Path{Remote: m.Addr}, joining.Dial{Purpose: joining.ForComparison, Member: m.ID}, now.Add(contactFor))
	}
}

// wakeUp handles the end of a pause so long that other nodes declared this node dead. They have closed its sessions,
// whose packets are never answered. This node may also be a copy of a node that still runs (PROTOCOL.md J4).
func (h *healing) wakeUp(now time.Time) {
	c := h.core
	c.hs.Retire(now)
	if !c.members.Self().Live() || c.members.Count() < 2 {
		return
	}
	c.report.Asleep(now)
	c.membership.refute(now, 0)
	for _, p := range c.links {
		if !p.Legacy && !c.hs.dials.Dialing(p.ID) {
			c.hs.dial(now, p.Sessions.Path(), joining.Dial{Purpose: joining.ForGreeting, Member: p.ID}, now.Add(contactFor))
		}
	}
}

// asleepFor returns how late a timer must be for other nodes to consider this node dead.
func (h *healing) asleepFor() time.Duration {
	return swim.SilenceOf(h.core.cfg.Heartbeat, h.core.cfg.Detection.ProbeInterval, swim.SilenceLost)
}

// Leave makes this node leave: it notifies all links, and removes this node from its own members. An event.Departed
// follows when all links have confirmed it or have timed out. The sessions stay open until the core is dropped, so that
// late requests are answered.
func (c *Core) Leave(now time.Time) {
	if !c.members.Self().Live() {
		if !c.leaving.timer.Pending() {
			c.events.Add(event.Event{Kind: event.Departed})
		}
		return
	}
	c.events.Emit(c.members.Leave(now))
	c.report.Leaving(now)
	c.memberChanged(now)
	c.membership.spread(now, c.members.Self(), nil, byNews)
	c.entries.FlushNews(now)
	c.sender.SealDue(now, true)
	c.gateway.bridge.Leave(now)
	var links []wire.NodeID
	for _, p := range c.links {
		if !p.Legacy {
			links = append(links, p.ID)
		}
	}
	c.leaving.Begin(links)
	c.overlay.conclude(now, c.overlay.Leave(c.overlay.acts, now))
	c.joins.conclude(now, c.joins.EndSilent(c.joins.outcomes))
	c.leaving.stepLeave(now)
}

// stepLeave notifies the links that have not confirmed yet that this node has left.
func (l *leaving) stepLeave(now time.Time) {
	c := l.core
	receivers := l.Step(now, c.members.Self().Live(), func(id wire.NodeID) bool { return c.overlay.Reachable(now, id) })
	for _, id := range receivers {
		c.entries.SendDeparture(now, &c.peers[id].Peer)
	}
	if c.timers.Plan(&l.timer, l.Due()); len(receivers) == 0 {
		c.events.Add(event.Event{Kind: event.Departed})
	}
}

// leaveConfirmed records that p knows that this node has left.
func (l *leaving) leaveConfirmed(p *peer) {
	c := l.core
	over := l.Confirmed(p.ID)
	if c.timers.Plan(&l.timer, l.Due()); over {
		c.events.Add(event.Event{Kind: event.Departed})
	}
}

// ready continues what waited for a session with p. Every node subscribes to a gwyh 0.1 node after a handshake with it,
// so the overlay does not choose such nodes.
func (h *handshakes) ready(now time.Time, p *peer) {
	c := h.core
	c.direct.ready(now, p)
	if m := c.members.Contended(p.ID); m != nil {
		c.membership.succeed(now, m)
	}
	for _, a := range p.dials {
		d, _ := h.dials.Get(a)
		switch {
		case d.Purpose == joining.ForPing:
			c.pings.Ready(now, &p.Peer, event.PingToken(d.Token))
		case d.Purpose == joining.ForGreeting && !p.Legacy:
			c.entries.Greet(now, &p.Peer)
		case d.Purpose == joining.ForComparison && !p.Legacy:
			c.push.begin(now, p, false)
		}
		h.dials.Take(a)
	}
	p.dials = nil
	if p.Legacy {
		c.gateway.conclude(now, c.gateway.Ready(c.gateway.outcomes, now, c.gateway.bridge, &c.members, p.gateway))
	} else {
		c.overlay.conclude(now, c.overlay.SessionReady(c.overlay.acts, now, &p.overlay))
	}
	c.joins.ready(now, p)
	c.push.pullReady(now, p)
	c.sender.Pump(now, &p.Peer)
}

// attemptFailed ends the operation that needed the handshake. If it had none, the overlay avoids the member for a while.
func (h *handshakes) attemptFailed(now time.Time, a handshake.AttemptID, err error) {
	c := h.core
	c.stats.HandshakesFailed++
	d, _ := h.dials.Take(a)
	c.report.AttemptFailed(now, d.To, err)
	switch d.Purpose {
	case joining.ForJoin:
		c.joins.conclude(now, c.joins.End(c.joins.outcomes, c.joins.Of(d), err))
	case joining.ForDirect:
		c.direct.conclude(now, c.direct.Sender.DialFailed(c.direct.outcomes, now, d.Token, err))
	case joining.ForPing:
		c.pings.Conclude(now, c.pings.Pings.Fail(c.pings.Outcomes, event.PingToken(d.Token), err))
	default:
		if p, m := c.peers[d.Member], c.members.Get(d.Member); m != nil && (p == nil || p.Sessions.Current(now) == nil) {
			c.overlay.conclude(now, c.overlay.Avoid(c.overlay.acts, now, m.ID))
		}
	}
}

// attemptSlow extends the deadline of a Join over a slow transport.
func (h *handshakes) attemptSlow(now time.Time, a handshake.AttemptID) {
	c := h.core
	d, _ := h.dials.Get(a)
	c.joins.conclude(now, c.joins.Slow(c.joins.outcomes, d))
}

// reachedSelf ends an operation whose address turned out to be one of this node's own.
func (h *handshakes) reachedSelf(now time.Time, a handshake.AttemptID) {
	c := h.core
	h.Cancel(a)
	switch d, _ := h.dials.Take(a); d.Purpose {
	case joining.ForJoin:
		c.heal.Reached(d.To, c.cfg.ID)
		c.joins.conclude(now, c.joins.End(c.joins.outcomes, c.joins.Of(d), nil))
	case joining.ForDirect:
		c.direct.conclude(now, c.direct.Sender.ReachedSelf(c.direct.outcomes, d.Token))
	case joining.ForPing:
		c.pings.Conclude(now, c.pings.Pings.ReachedSelf(c.pings.Outcomes, now, event.PingToken(d.Token), c.cfg.Name))
	}
}
