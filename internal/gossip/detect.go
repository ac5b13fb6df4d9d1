package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/liveness"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newDetection(now time.Time, c *Core) detection {
	return detection{core: c, Detector: swim.New(now, c.cfg.Detection, c.rng, &c.members, &c.timers)}
}

// newMessenger returns the messages of failure detection of c, whose components are set.
func newMessenger(c *Core) *liveness.Messenger {
	return liveness.New(liveness.Config{Delivery: c.delivery, Entries: c.entries, Detector: c.swim.Detector, Members: &c.members, Sessions: c.hs.Table,
		IDs: &c.ids, Timers: &c.timers, Events: &c.events, Report: c.report, Stats: &c.stats,
		Allow: c.cfg.Allow, AnswerAdvertised: c.cfg.AnswerAdvertised, Pings: c.cfg.Pings})
}

// detect carries out the actions that one input to the failure detector caused.
func (dt *detection) detect(now time.Time, out []swim.Action) {
	dt.outcomes.Work(out, func(a *swim.Action) { dt.act(now, a) })
}

func (dt *detection) act(now time.Time, a *swim.Action) {
	c := dt.core
	if dt.messages.Perform(now, a) {
		c.membership.probed(now, a)
		return
	}
	switch a.Kind {
	case swim.Reach:
		if a.Addr.IsValid() && !c.hs.dials.Dialing(a.ID) {
			c.hs.dialMember(now, wire.Path{Remote: a.Addr}, a.ID, dialFor)
		}
	case swim.EndLink:
		if p := c.peers[a.Peer.ID]; p != nil {
			c.overlay.conclude(now, c.overlay.LinkFailed(c.overlay.acts, now, &p.overlay))
		}
	case swim.DropLink:
		if p := c.peers[a.Peer.ID]; p != nil {
			c.overlay.unlink(now, p)
		}
	case swim.DeclareDead:
		c.membership.declareDead(now, a.Member)
	case swim.RemoveAlone:
		c.membership.memberRemoved(now, c.members.Fail(now, a.Member, c.cfg.ID))
	case swim.Refute:
		c.report.Accused(now, a.State)
		c.membership.refute(now, a.Incarnation)
		c.entries.Hurry(now)
	}
}

// applySuspect handles an accusation of m, or an unproven claim that it is dead or has left.
func (ms *membership) applySuspect(now time.Time, m *members.Entry, e *wire.Member, via *peer, how route) {
	c := ms.core
	c.swim.detect(now, c.swim.HandleEntry(c.swim.outcomes, now, m, e, how == byComparison, via.detection()))
}

// defend handles an entry about this node itself.
func (ms *membership) defend(now time.Time, e *wire.Member, from *peer) {
	c := ms.core
	if members.OutOfReach(now, e.Incarnation) {
		return
	}
	c.swim.detect(now, c.swim.HandleSelf(c.swim.outcomes, now, e, from.detection()))
}

// SetAckPayload answers an event.PayloadWanted: it sets the payload of further answers to Pings. A payload larger than
// ping.PayloadMax is not sent.
func (c *Core) SetAckPayload(now time.Time, b []byte) {
	if !c.pings.SetPayload(b) {
		c.report.PayloadTooLarge(now, len(b), ping.PayloadMax)
	}
}

// Ping measures the round-trip time to the node at an address, after a handshake if there is no session. If name is not
// empty, the node must have it. An event.Pinged with the token reports the result, no later than until.
func (c *Core) Ping(now time.Time, name string, to netip.AddrPort, until time.Time) (event.PingToken, error) {
	if c.pings.Pings.Len() >= ping.Max {
		return 0, ErrQueueFull
	}
	p, legacy := c.direct.Reach(now, to)
	if legacy {
		return 0, direct.ErrLegacy
	}
	t, _ := c.pings.Pings.Begin(now, name, until)
	if p == nil {
		c.hs.dial(now, wire.Path{Remote: to}, joining.Dial{Purpose: joining.ForPing, Token: uint64(t)}, until)
		c.pings.Conclude(now, nil)
	} else {
		c.pings.Ready(now, p, t)
	}
	return t, nil
}

// handleAck handles the answer to a Ping of this node, including one that probes a path.
func (dt *detection) handleAck(now time.Time, p *peer, data []byte) {
	c := dt.core
	out, a, ok := dt.messages.ReceiveAck(dt.outcomes, now, &p.Peer, data)
	if !ok {
		return
	}
	dt.detect(now, out)
	c.overlay.measured(p, a.RTT)
	if a.Purpose.Leave {
		c.leaving.leaveConfirmed(p)
	}
	dt.messages.Acknowledged(now, &p.Peer, a)
}
