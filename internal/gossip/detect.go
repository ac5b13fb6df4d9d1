package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// detection is the failure detector, and what the core does about its actions.
type detection struct {
	*swim.Detector
	core     *Core
	outcomes outcome.Buffer[swim.Action]
}

// detect carries out what one input to the failure detector wants done.
func (dt *detection) detect(now time.Time, out []swim.Action) {

	dt.outcomes.Work(out, func(a *swim.Action) {
		if p := dt.peerIn(a); p != nil {
			dt.actOnPeer(now, p, a)
		} else {
			dt.actOnMember(now, a)
		}
	})
}

// peerIn returns the peer that an action asks something for, or nil.
func (dt *detection) peerIn(a *swim.Action) *peer {
	c := dt.core
	if a.Peer == nil || a.Kind == swim.Spread {
		return nil
	}
	return c.peers[a.Peer.ID]
}

func (dt *detection) actOnPeer(now time.Time, p *peer, a *swim.Action) {
	c := dt.core
	switch a.Kind {
	case swim.SendPing:
		c.pings.ping(now, p)
	case swim.SendNotice:
		dt.notify(now, p, a.Member)
	case swim.SendProbeFor:
		c.transport.plain = wire.AppendProbeFor(c.transport.plain[:0], c.newID(), a.ProbeFor)
		c.transport.sendPlain(now, p, c.transport.plain)
	case swim.SendProbeResult:
		c.transport.plain = wire.AppendProbeResult(c.transport.plain[:0], c.newID(), a.ProbeResult)
		c.transport.sendPlain(now, p, c.transport.plain)
	case swim.CheckPath:
		p.set.CheckPath(now)
		c.hs.wake(p)
	case swim.Watch:
		c.timers.Advance(&p.timer, a.At)
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
		var via *peer
		if a.Peer != nil {
			via = c.peers[a.Peer.ID]
		}
		c.membership.spreadAccusation(now, a.Member, via)
	case swim.DeclareDead:
		c.membership.declareDead(now, a.Member)
	case swim.RemoveAlone:
		c.membership.memberRemoved(now, c.members.Fail(now, a.Member, c.cfg.ID))
	case swim.TakeCensus:
		dt.StartCensus(now)
	case swim.Refute:
		c.reporter.warn(now, "defend", "other nodes took this node for %s: telling them that it is alive", a.State)
		c.membership.refute(now, a.Incarnation)
		c.timers.Advance(&c.membership.timer, now)
	default:
		c.reporter.logDetection(now, a)
	}
}

// reachOut asks a node for a sign of life: by a Ping, and by a handshake if there is no session, or if again is set
// because the Ping had no answer: the node may have closed its side of the session.
func (dt *detection) reachOut(now time.Time, id wire.NodeID, addr netip.AddrPort, again bool) {
	c := dt.core
	p := c.peers[id]
	current := p != nil && p.set.Current(now) != nil
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

// pingSilent sends a Ping that also says how long ago its receiver was heard, so that the receiver does not believe a
// node that has become deaf until the next heartbeat.
func (dt *detection) pingSilent(now time.Time, p *peer) {
	c := dt.core
	if p.legacy || !p.linked {
		c.pings.ping(now, p)
		return
	}
	c.transport.plain = wire.AppendSyncRoot(c.pings.appendPing(c.transport.plain[:0], now, p, swim.Purpose{}), c.newID(), c.sync.rootFor(now, p))
	c.transport.sendPlain(now, p, c.transport.plain)
}

// rootFor is the SyncRoot for p.
func (cs *comparisons) rootFor(now time.Time, p *peer) wire.SyncRoot {
	c := cs.core
	return wire.SyncRoot{Root: c.members.Root(), Count: uint32(c.members.Count()), Heard: p.heardAge(now)}
}

// heardAge is how long ago a packet of p was opened, in milliseconds rounded up.
func (p *peer) heardAge(now time.Time) uint32 {
	age := min(max(now.Sub(p.set.LastOpened()), 0), 1<<31*time.Millisecond)
	return uint32((age + time.Millisecond - 1) / time.Millisecond)
}

// notify tells p that it is suspected, or taken for dead, so that it refutes if it lives.
func (dt *detection) notify(now time.Time, p *peer, m *members.Entry) {
	c := dt.core
	if p.legacy || p.set.Current(now) == nil || !dt.MayNotify(now, &p.swim) {
		return
	}
	c.sync.correct(now, p, m)
}

// handleProbeFor takes the request of p to probe a node.
func (dt *detection) handleProbeFor(now time.Time, p *peer, data []byte) {
	c := dt.core
	f, err := wire.ParseProbeFor(data)
	switch {
	case err != nil:
		c.drop(DropMalformedBody)
		return
	case !f.Target.IsGo():
		c.drop(DropUnexpected)
		return
	}
	if c.cfg.Allow != nil && !c.cfg.Allow(f.Addr.Addr()) {
		f.Addr = netip.AddrPort{}
	}
	out, ok := dt.HandleProbeFor(dt.outcomes, now, &p.swim, &f)
	if !ok {
		c.drop(DropOversize)
	}
	dt.detect(now, out)
}

// handleProbeResult takes what the helper p found out.
func (dt *detection) handleProbeResult(now time.Time, p *peer, data []byte) {
	c := dt.core
	r, err := wire.ParseProbeResult(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	dt.detect(now, dt.HandleProbeResult(dt.outcomes, now, &p.swim, r))
}

// applySuspect takes in an accusation that another node passed on.
func (ms *membership) applySuspect(now time.Time, m *members.Entry, e *wire.Member, via *peer) {
	c := ms.core
	c.swim.detect(now, c.swim.HandleAccusation(c.swim.outcomes, now, m, e.Incarnation, e.From, via.detection()))
}

// detection returns what failure detection knows of p, which may be nil.
func (p *peer) detection() *swim.Peer {
	if p == nil {
		return nil
	}
	return &p.swim
}

// defend takes in an entry about this node itself.
func (ms *membership) defend(now time.Time, e *wire.Member, from *peer) {
	c := ms.core
	if members.TooFarAhead(now, e.Incarnation) {
		return
	}
	c.swim.detect(now, c.swim.HandleSelf(c.swim.outcomes, e, from.detection()))
}

// HealthScore is how unwell this node is itself, from 0 for well to AwarenessMaxMultiplier - 1.
func (c *Core) HealthScore() int { return c.swim.Health() }
