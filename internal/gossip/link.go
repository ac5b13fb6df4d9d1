package gossip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newOverlaying(now time.Time, c *Core, secret overlay.Secret) overlaying {
	return overlaying{core: c, choiceTimer: timer.Timer{Fire: c.overlay.rechoose}, measureTimer: timer.Timer{Fire: c.overlay.measure},
		Overlay: overlay.New(now, overlay.Config{Secret: secret, Zone: c.cfg.Zone, Strategy: c.cfg.Strategy, Subscriptions: c.cfg.Subscriptions,
			AskSelection: c.cfg.AskSelection}, &c.members, c.rng)}
}

// OverlayPeer returns the Overlay's state of a peer, or nil if there is no session with it.
func (o *overlaying) OverlayPeer(id wire.NodeID) *overlay.Peer {
	if p := o.core.peers[id]; p != nil {
		return &p.overlay
	}
	return nil
}

// Reachable reports whether there is a session with a peer that can be used to send now.
func (o *overlaying) Reachable(now time.Time, id wire.NodeID) bool {
	p := o.core.peers[id]
	return p != nil && p.Sessions.Current(now) != nil
}

// Dialing reports whether a handshake with a member is in progress.
func (o *overlaying) Dialing(id wire.NodeID) bool { return o.core.hs.dials.Dialing(id) }

// Remote returns the address from which the packets of a peer come, or an invalid one if there is no session with it.
func (o *overlaying) Remote(id wire.NodeID) (a netip.AddrPort) {
	if p := o.core.peers[id]; p != nil {
		a = p.Sessions.Path().Remote
	}
	return a
}

// conclude sets the timers and executes the actions that one input to the Overlay caused.
func (o *overlaying) conclude(now time.Time, out []overlay.Action) {
	o.core.timers.Plan(&o.choiceTimer, o.ChoiceAt())
	o.core.timers.Plan(&o.measureTimer, o.MeasureAt())
	o.acts.Work(out, func(a *overlay.Action) { o.act(now, a) })
}

// act executes an action of the Overlay.
func (o *overlaying) act(now time.Time, a *overlay.Action) {
	c := o.core
	var p *peer
	if a.Peer != nil {
		p = c.peers[a.Peer.ID()]
	}
	switch a.Kind {
	case overlay.LinkUp:
		o.linkUp(now, p)
	case overlay.LinkDown:
		o.linkDown(now, p)
	case overlay.Subscribe:
		c.entries.Request(now, &p.Peer, wire.KindStartSubscription)
		c.timers.Advance(&p.Timer, a.At)
	case overlay.Confirm:
		c.entries.Request(now, &p.Peer, wire.KindSubscriptionStarted)
	case overlay.End:
		c.sender.SendRequest(now, &p.Peer, wire.KindEndSubscription)
	case overlay.Dial:
		c.hs.dialMember(now, wire.Path{Remote: c.members.Get(a.Member).Addr}, a.Member, dialFor)
	case overlay.AskSelection:
		o.askSelection()
	case overlay.Avoided:
		c.report.Avoided(now, c.members.Get(a.Member), a.Pause)
	case overlay.Chosen:
		c.report.Choice(now, o.Choice())
	}
}

// chooseFirst subscribes to one member at once if the node has no link.
func (o *overlaying) chooseFirst(now time.Time) {
	o.conclude(now, o.ChooseFirst(o.acts, now, o))
}

// rechoose chooses the members to subscribe to and the gwyh 0.1 members for which this node is a gate. It ends the
// subscriptions that are no longer chosen.
func (o *overlaying) rechoose(now time.Time) {
	out, made := o.Rechoose(o.acts, now, o)
	if o.conclude(now, out); made {
		o.core.gateway.choose(now)
		o.conclude(now, o.Trim(o.acts, o))
	}
}

// SetSelection answers an event.SelectionWanted with the Peers that may be chosen. The preferred peer is chosen before
// all others, even if it is not selected. Zero means no preferred peer.
func (c *Core) SetSelection(now time.Time, selected []wire.NodeID, preferred wire.NodeID) {
	out, expected := c.overlay.Select(c.overlay.acts, now, &c.overlay, selected, preferred)
	if !expected {
		return
	}
	c.overlay.conclude(now, out)
	c.overlay.rechoose(now)
	if c.push.Selected() {
		c.push.pullFrom(now, c.overlay.DrawSelected(now, c.push.TakeTurn()))
	}
}

// askSelection asks the application which of all members may be chosen. A suspected member is shown as alive, because
// most suspected members are: if a new choice followed each suspicion, links would be replaced needlessly.
func (o *overlaying) askSelection() {
	c := o.core
	e := event.Event{Kind: event.SelectionWanted}
	for m := range c.members.Each {
		e.Peers, e.Since = append(e.Peers, m.Member), append(e.Since, c.members.Since(m))
		e.Peers[len(e.Peers)-1].State = wire.StateAlive
	}
	c.events.Add(e)
}

// measure measures the distance to a member that the Overlay has drawn, by a handshake if there is no session.
func (o *overlaying) measure(now time.Time) {
	c := o.core
	m := o.Measure(now)
	o.conclude(now, o.acts)
	if m == nil {
		return
	}
	if p := c.peers[m.ID]; p != nil && p.Sessions.Current(now) != nil {
		c.sender.Ping(now, &p.Peer)
	} else if !c.hs.dials.Dialing(m.ID) {
		c.hs.dialMember(now, wire.Path{Remote: m.Addr}, m.ID, dialFor)
	}
}

// measured records a round-trip time to p, and the distance of the member.
func (o *overlaying) measured(p *peer, rtt time.Duration) {
	if rtt <= 0 {
		return
	}
	distance := p.SetRTT(rtt)
	if m := o.core.members.Get(p.ID); m != nil {
		o.Measured(m, distance)
	}
}

// Distances returns the number of changes of members' round-trip times, which do not change Version.
func (c *Core) Distances() uint64 { return c.overlay.Distances() }

// handleStart handles a StartSubscription. The answer waits while the application decides about the peer.
func (o *overlaying) handleStart(now time.Time, p *peer) {
	o.core.swim.messages.Remind(now, &p.Peer)
	if p.push.Asked() {
		p.push.Subscribe()
		return
	}
	o.conclude(now, o.HandleStart(o.acts, now, o, &p.overlay, p.push.Vetoed || o.core.delivery.Excludes(&p.Peer)))
}

// unlink ends the link with p on this side, without notifying p.
func (o *overlaying) unlink(now time.Time, p *peer) {
	o.conclude(now, o.Unlink(o.acts, now, &p.overlay))
}

// tickLink repeats requests, sends the heartbeat and checks for silence. It returns the time of the next call.
func (o *overlaying) tickLink(now time.Time, p *peer) (next time.Time) {
	c := o.core
	if p.overlay.Requested() {
		var out []overlay.Action
		out, next = o.Tick(o.acts, now, &p.overlay)
		o.conclude(now, out)
	}
	if p.Legacy && p.overlay.Subscribing() && !p.Linked {
		return timer.Soonest(next, c.gateway.tickPeer(now, p))
	}
	if !p.Linked && !p.Swim.Guarded(now) {
		return next
	}
	if !p.Linked {
		return timer.Soonest(next, o.tickSilence(now, p))
	}
	if !p.Beat.After(now) {
		o.heartbeat(now, p)
	}
	next = timer.Soonest(next, p.Beat)
	if p.Legacy {
		return timer.Soonest(next, c.gateway.tickPeer(now, p))
	}
	return timer.Soonest(next, c.delivery.Beats.LookAgain(now, o.tickSilence(now, p)))
}

// tickSilence checks p for silence. It returns the time of the next call.
func (o *overlaying) tickSilence(now time.Time, p *peer) time.Time {
	c := o.core
	next, out := c.swim.Tick(c.swim.outcomes, now, &p.Swim)
	c.swim.detect(now, out)
	return next
}

// A link begins only in linkUp and ends only in linkDown. After the list of links has changed, both notify every
// component, always in the same order.

// linkUp begins the link with p.
func (o *overlaying) linkUp(now time.Time, p *peer) {
	c := o.core
	c.links = append(c.links, p)
	c.delivery.Link(now, &p.Peer)
	if p.Legacy {
		c.gateway.SetLinked(p.gateway, true)
	}
	c.report.LinkUp(now, p.ID)
	c.swim.LinkUp(now, &p.Swim)
	if p.Packets.RTT() == 0 && !p.Legacy {
		c.sender.Ping(now, &p.Peer) // the node that answered the handshake does not know the round-trip time
	}
	c.delivery.Beats.LinkUp(now, &p.Peer)
	c.delivery.SearchPath(now, &p.Peer)
	c.delivery.Admit(now, &p.Peer)
	c.joins.linked(now)
}

// linkDown ends the link with p.
func (o *overlaying) linkDown(now time.Time, p *peer) {
	c := o.core
	c.links = slices.DeleteFunc(c.links, func(o *peer) bool { return o == p })
	c.delivery.Unlink(now, &p.Peer)
	if p.Legacy {
		c.gateway.SetLinked(p.gateway, false)
	}
	c.report.LinkDown(now, p.ID)
	c.swim.LinkDown(&p.Swim)
	p.Packets.Path().LinkDown()
	c.broadcast.LinkEnded(now, &p.Peer)
}

// heartbeat sends a heartbeat to p (PROTOCOL.md G6). For a Go node, each component appends its part: antientropy the root
// of the member table, dissemination digests, swim a Ping if it is this link's turn, and the channel a Settled if useful.
func (o *overlaying) heartbeat(now time.Time, p *peer) {
	c := o.core
	if c.delivery.Beats.Sent(now, &p.Peer) {
		c.sender.Rest(now)
	}
	var digests *digest.List
	if !p.Legacy {
		digests = c.broadcast.Digests(now, &p.Peer)
	}
	b := wire.AppendRequest(c.sender.Begin(), c.newID(), wire.KindHeartbeat)
	if digests != nil {
		b = wire.AppendList(b, wire.KindHave, c.newID(), digests.Bytes())
	}
	if !p.Legacy {
		b = wire.AppendSyncRoot(b, c.newID(), c.entries.RootFor(now, &p.Peer))
		if c.swim.TakeTurn(now, &p.Swim) {
			b = p.Swim.AppendPing(b, now, c.newID(), swim.Purpose{})
		}
		b = c.broadcast.AppendClock(b, now, &p.Peer)
		if ch := p.Packets.Channel(now); ch != nil {
			b = ch.AppendChatter(b)
		}
	}
	c.sender.Send(now, &p.Peer, b)
}
