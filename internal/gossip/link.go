package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	dialFor = 5 * time.Second  // how long a handshake with a member may take before the member is avoided
	wardFor = 15 * time.Second // how long a new member without a link to this node is watched
)

// overlaying is the Overlay, with the timers and the buffer that the core keeps for it.
type overlaying struct {
	*overlay.Overlay
	acts    outcome.Buffer[overlay.Action]
	choice  timer.Timer
	measure timer.Timer
}

// contacts answers the questions of the Overlay.
type contacts struct{ *Core }

func (c contacts) OverlayPeer(id wire.NodeID) *overlay.Peer {
	if p := c.peers[id]; p != nil {
		return &p.overlay
	}
	return nil
}

func (c contacts) Reachable(now time.Time, id wire.NodeID) bool {
	p := c.peers[id]
	return p != nil && p.set.Current(now) != nil
}

func (c contacts) Dialing(id wire.NodeID) bool { return c.hs.dials.Dialing(id) }

// overlaid sets the timers and executes the actions that follow from an input to the Overlay.
func (c *Core) overlaid(now time.Time, out []overlay.Action) {
	c.schedule(&c.overlay.choice, c.overlay.ChoiceAt())
	c.schedule(&c.overlay.measure, c.overlay.MeasureAt())
	c.overlay.acts.Work(out, func(a *overlay.Action) { c.doOverlay(now, a) })
}

// schedule sets a timer to the deadline of a component; zero for none.
func (c *Core) schedule(t *timer.Timer, at time.Time) {
	switch {
	case at.IsZero():
		c.timers.Stop(t)
	case !t.Pending() || !t.At().Equal(at):
		c.timers.Set(t, at)
	}
}

// doOverlay executes an action of the Overlay.
func (c *Core) doOverlay(now time.Time, a *overlay.Action) {
	var p *peer
	if a.Peer != nil {
		p = c.peers[a.Peer.ID()]
	}
	switch a.Kind {
	case overlay.LinkUp:
		c.linkUp(now, p)
	case overlay.LinkDown:
		c.linkDown(now, p)
	case overlay.Subscribe:
		c.sendIntroduced(now, p, wire.KindStartSubscription)
		c.timers.Advance(&p.timer, a.At)
	case overlay.Confirm:
		c.sendIntroduced(now, p, wire.KindSubscriptionStarted)
	case overlay.End:
		c.sendRequest(now, p, wire.KindEndSubscription)
	case overlay.Dial:
		c.hs.dialMember(now, wire.Path{Remote: c.members.Get(a.Member).Addr}, a.Member, dialFor)
	case overlay.AskSelection:
		c.askSelection()
	case overlay.Avoided:
		c.logAvoided(now, c.members.Get(a.Member), a.Pause)
	case overlay.Chosen:
		c.logChoice(now)
	}
}

// sendIntroduced sends a request after this node's own entry. The two requests that begin a link make sure that both ends
// have each other as members.
func (c *Core) sendIntroduced(now time.Time, p *peer, k wire.Kind) {
	if p.legacy {
		c.sendRequest(now, p, k)
		return
	}
	w := wire.BeginMembers(c.plain[:0], c.newID())
	w.Append(c.self.Fill(&c.membership.entry), controlMax)
	c.plain = wire.AppendRequest(w.End(), c.newID(), k)
	c.sendPlain(now, p, c.plain)
}

// chooseFirst subscribes to one member at once if the node has no link.
func (c *Core) chooseFirst(now time.Time) {
	c.overlaid(now, c.overlay.ChooseFirst(c.overlay.acts, now, contacts{c}))
}

// rechoose chooses the members to subscribe to, the gwyh 0.1 members for which this node is a gate, and ends the
// subscriptions that are not chosen any more.
func (c *Core) rechoose(now time.Time) {
	out, made := c.overlay.Rechoose(c.overlay.acts, now, contacts{c})
	if c.overlaid(now, out); made {
		c.gateway.choose(now)
		c.overlaid(now, c.overlay.Trim(c.overlay.acts, contacts{c}))
	}
}

// SetSelection answers an EventSelectionWanted: which of its Peers may be chosen, and which one is chosen before all
// others, whether it is among the selected or not; zero for none.
func (c *Core) SetSelection(now time.Time, selected []wire.NodeID, preferred wire.NodeID) {
	out, expected := c.overlay.Select(c.overlay.acts, now, contacts{c}, selected, preferred)
	if !expected {
		return
	}
	c.overlaid(now, out)
	c.rechoose(now)
	if c.push.Selected() {
		c.push.pullFrom(now, c.drawSelected(now))
	}
}

// askSelection asks the application which of all members may be chosen. A suspected member is shown as alive, which most
// suspected members are: a choice that followed each suspicion would replace links for nothing.
func (c *Core) askSelection() {
	e := Event{Kind: EventSelectionWanted}
	for m := range c.members.Each {
		e.Peers, e.Since = append(e.Peers, m.Member), append(e.Since, m.Since)
		e.Peers[len(e.Peers)-1].State = wire.StateAlive
	}
	c.events = append(c.events, e)
}

// drawSelected draws one of the selected members for a push/pull; nil if there is none. The preferred member has the
// first of every PushPullNodes turns.
func (c *Core) drawSelected(now time.Time) *members.Entry {
	return c.overlay.DrawSelected(now, c.push.TakeTurn())
}

// measure measures the distance of a member that the Overlay has drawn, by a handshake if there is no session.
func (c *Core) measure(now time.Time) {
	m := c.overlay.Measure(now)
	c.overlaid(now, c.overlay.acts)
	if m == nil {
		return
	}
	if p := c.peers[m.ID]; p != nil && p.set.Current(now) != nil {
		c.ping(now, p)
	} else if !c.hs.dials.Dialing(m.ID) {
		c.hs.dialMember(now, wire.Path{Remote: m.Addr}, m.ID, dialFor)
	}
}

// measured takes a measured round-trip time to p. A queue is no distance, so the member's is that of an empty path.
func (c *Core) measured(p *peer, rtt time.Duration) {
	if rtt <= 0 {
		return
	}
	p.packets.SetRTT(rtt)
	p.neighbor.RTT = rtt
	m := c.members.Get(p.id)
	if m == nil {
		return
	}
	if least := p.packets.Pace().MinRTT(); least > 0 {
		rtt = min(rtt, least)
	}
	c.overlay.Measured(m, rtt)
}

// Distances counts the changes of members' round-trip times, which do not change Version.
func (c *Core) Distances() uint64 { return c.overlay.Distances() }

// handleStart takes a StartSubscription. While the application decides whether the peer becomes a member, the answer
// waits for the verdict.
func (c *Core) handleStart(now time.Time, p *peer) {
	c.remind(now, p)
	if p.push.Asked() {
		p.push.Subscribe()
		return
	}
	c.overlaid(now, c.overlay.HandleStart(c.overlay.acts, now, &p.overlay, p.push.Vetoed))
}

// unlink ends the link with p on this side, without telling it.
func (c *Core) unlink(now time.Time, p *peer) {
	c.overlaid(now, c.overlay.Unlink(c.overlay.acts, now, &p.overlay))
}

// tickLink asks again, sends the heartbeat and watches for silence. It returns when it is next needed.
func (c *Core) tickLink(now time.Time, p *peer) (next time.Time) {
	if p.overlay.Asked() {
		var out []overlay.Action
		out, next = c.overlay.Tick(c.overlay.acts, now, &p.overlay)
		c.overlaid(now, out)
	}
	if p.legacy && p.overlay.Subscribing() && !p.linked {
		return timer.Soonest(next, c.gateway.tickPeer(now, p))
	}
	if !p.linked && !p.swim.Guarded(now) {
		return next
	}
	if !p.linked {
		return timer.Soonest(next, c.tickSilence(now, p))
	}
	if !p.beat.After(now) {
		c.heartbeat(now, p)
	}
	next = timer.Soonest(next, p.beat)
	if p.legacy {
		return timer.Soonest(next, c.gateway.tickPeer(now, p))
	}
	return timer.Soonest(next, c.tickSilence(now, p))
}

// tickSilence watches p for silence. It returns when it is next needed.
func (c *Core) tickSilence(now time.Time, p *peer) time.Time {
	next, out := c.swim.Tick(c.detected, now, &p.swim)
	c.detect(now, out)
	return next
}
