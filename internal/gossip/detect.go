package gossip

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/members"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newDetection(now time.Time, c *Core) detection {
	return detection{core: c, Detector: swim.New(now, c.cfg.detection(), c.rng, &c.members, &c.timers)}
}

// detect carries out the actions that one input to the failure detector caused.
func (dt *detection) detect(now time.Time, out []swim.Action) {
	dt.outcomes.Work(out, func(a *swim.Action) {
		if p := dt.peerIn(a); p != nil {
			dt.actOnPeer(now, p, a)
		} else {
			dt.actOnMember(now, a)
		}
	})
}

// peerIn returns the peer that an action is about, or nil.
func (dt *detection) peerIn(a *swim.Action) *peer {
	if a.Peer == nil || a.Kind == swim.Spread {
		return nil
	}
	return dt.core.peers[a.Peer.ID]
}

func (dt *detection) actOnPeer(now time.Time, p *peer, a *swim.Action) {
	c := dt.core
	switch a.Kind {
	case swim.SendPing:
		c.sender.Ping(now, &p.Peer)
	case swim.SendNotice:
		dt.notify(now, p, a.Member)
	case swim.SendProbeFor:
		c.sender.Send(now, &p.Peer, wire.AppendProbeFor(c.sender.Begin(), c.newID(), a.ProbeFor))
	case swim.SendProbeResult:
		c.sender.Send(now, &p.Peer, wire.AppendProbeResult(c.sender.Begin(), c.newID(), a.ProbeResult))
	case swim.CheckPath:
		p.Sessions.CheckPath(now)
		c.hs.Wake(p.Node)
	case swim.Watch:
		c.timers.Advance(&p.Timer, a.At)
	case swim.EndLink:
		c.overlay.conclude(now, c.overlay.LinkFailed(c.overlay.acts, now, &p.overlay))
	case swim.DropLink:
		c.overlay.unlink(now, p)
	}
}

func (dt *detection) actOnMember(now time.Time, a *swim.Action) {
	c := dt.core
	switch a.Kind {
	case swim.Reach:
		dt.reachOut(now, a.ID, a.Addr, a.Again)
	case swim.Spread:
		var via wire.NodeID
		if a.Peer != nil {
			via = a.Peer.ID
		}
		c.entries.SpreadAccusation(now, a.Member, via)
	case swim.DeclareDead:
		c.membership.declareDead(now, a.Member)
	case swim.RemoveAlone:
		c.membership.memberRemoved(now, c.members.Fail(now, a.Member, c.cfg.ID))
	case swim.TakeCensus:
		dt.StartCensus(now)
	case swim.Refute:
		c.report.Accused(now, a.State)
		c.membership.refute(now, a.Incarnation)
		c.entries.Hurry(now)
	default:
		c.report.Detection(now, a)
	}
}

// reachOut tests whether a node is alive: by a Ping, or by a handshake if there is no session. If again is set, a Ping
// was not answered and the node may have closed its side of the session, so reachOut always begins a handshake.
func (dt *detection) reachOut(now time.Time, id wire.NodeID, addr netip.AddrPort, again bool) {
	c := dt.core
	p := c.peers[id]
	current := p != nil && p.Sessions.Current(now) != nil
	if current {
		dt.pingSilent(now, p)
	}
	if current && !again {
		return
	}
	if addr.IsValid() && !c.hs.dials.Dialing(id) {
		c.hs.dialMember(now, wire.Path{Remote: addr}, id, dialFor)
	}
}

// pingSilent sends a Ping that also states how long ago p was heard, so that p does not rely until the next heartbeat
// on a node that no longer receives.
func (dt *detection) pingSilent(now time.Time, p *peer) {
	c := dt.core
	if p.Legacy || !p.Linked {
		c.sender.Ping(now, &p.Peer)
		return
	}
	c.sender.Send(now, &p.Peer, wire.AppendSyncRoot(p.Swim.AppendPing(c.sender.Begin(), now, c.newID(), swim.Purpose{}), c.newID(), c.entries.RootFor(now, &p.Peer)))
}

// notify sends p the entry that suspects it or declares it dead, so that p refutes it.
func (dt *detection) notify(now time.Time, p *peer, m *members.Entry) {
	if p.Legacy || p.Sessions.Current(now) == nil || !dt.MayNotify(now, &p.Swim) {
		return
	}
	dt.core.entries.Correct(now, &p.Peer, m)
}

// handleProbeFor handles a request of p to probe a node.
func (dt *detection) handleProbeFor(now time.Time, p *peer, data []byte) {
	c := dt.core
	f, err := wire.ParseProbeFor(data)
	switch {
	case err != nil:
		c.drop(stats.DropMalformedBody)
		return
	case !f.Target.IsGo():
		c.drop(stats.DropUnexpected)
		return
	}
	if c.cfg.Allow != nil && !c.cfg.Allow(f.Addr.Addr()) {
		f.Addr = netip.AddrPort{}
	}
	out, ok := dt.HandleProbeFor(dt.outcomes, now, &p.Swim, &f)
	if !ok {
		c.drop(stats.DropOversize)
	}
	dt.detect(now, out)
}

// handleProbeResult handles the result of an indirect probe by p.
func (dt *detection) handleProbeResult(now time.Time, p *peer, data []byte) {
	r, err := wire.ParseProbeResult(data)
	if err != nil {
		dt.core.drop(stats.DropMalformedBody)
		return
	}
	dt.detect(now, dt.HandleProbeResult(dt.outcomes, now, &p.Swim, r))
}

// applySuspect handles an accusation of m, or the unproven word that it is dead or has left.
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
	c.swim.detect(now, c.swim.HandleSelf(c.swim.outcomes, e, from.detection()))
}

// SetAckPayload answers an event.PayloadWanted: it sets the payload of further answers to Pings. A payload larger than
// AckPayloadMax is not sent.
func (c *Core) SetAckPayload(now time.Time, b []byte) {
	if !c.pings.SetPayload(b) {
		c.report.PayloadTooLarge(now, len(b), AckPayloadMax)
	}
}

// Ping measures the round-trip time to the node at an address, after a handshake if there is no session. If name is not
// empty, the node must have it. An event.Pinged with the token reports the result, at until at the latest.
func (c *Core) Ping(now time.Time, name string, to netip.AddrPort, until time.Time) (event.PingToken, error) {
	if c.pings.Len() >= ping.Max {
		return 0, ErrQueueFull
	}
	p, legacy := c.direct.Reach(now, to)
	if legacy {
		return 0, ErrLegacy
	}
	t, _ := c.pings.Begin(now, name, until)
	if p == nil {
		c.hs.dial(now, wire.Path{Remote: to}, joining.Dial{Purpose: joining.ForPing, Token: uint64(t)}, until)
		c.pings.Conclude(now, nil)
	} else {
		c.pings.Ready(now, p, t)
	}
	return t, nil
}

// handlePing sends an Ack to the path on which the Ping arrived (PROTOCOL.md P8).
func (dt *detection) handlePing(now time.Time, from wire.Path, p *peer, ch *packets.Channel, data []byte) {
	c := dt.core
	ping, err := wire.ParsePing(data)
	if err != nil {
		c.drop(stats.DropMalformedBody)
		return
	}
	if !c.delivery.Endpoint.MayAck() {
		c.drop(stats.DropOversize)
		return
	}
	c.leaving.remind(now, p)
	if c.cfg.AnswerAdvertised {
		from = p.Sessions.Path()
	}
	c.pings.Answer(now, ch, from, ping.Seq)
}

// handleAck handles the answer to a Ping of this node, including one that probes a path.
func (dt *detection) handleAck(now time.Time, p *peer, data []byte) {
	c := dt.core
	ack, err := wire.ParsePing(data)
	if err != nil {
		c.drop(stats.DropMalformedBody)
		return
	}
	a, ok, out := c.swim.HearAck(c.swim.outcomes, now, &p.Swim, ack.Seq)
	if !ok {
		dt.handlePathAck(now, p, ack.Seq)
		return
	}
	c.swim.detect(now, out)
	c.overlay.measured(p, a.RTT)
	c.pings.Conclude(now, c.pings.HandleAck(c.pings.Outcomes, event.PingToken(a.Purpose.Token), a.RTT))
	if a.Purpose.Leave {
		c.leaving.leaveConfirmed(p)
	}
	if m := c.members.Get(p.ID); c.cfg.Pings && m != nil && m.Live() {
		c.events.Add(event.Event{Kind: event.Ping, Member: m.Member, RTT: a.RTT, Data: bytes.Clone(ack.Payload)})
	}
}

// handlePathAck handles the answer to a Ping that probes the MTU of a path, or the path itself.
func (dt *detection) handlePathAck(now time.Time, p *peer, seq uint64) {
	c := dt.core
	if c.delivery.PathAnswered(now, &p.Peer, seq) {
		return
	}
	p.Sessions.ProbeAnswered(now, seq)
	c.hs.Wake(p.Node)
}
