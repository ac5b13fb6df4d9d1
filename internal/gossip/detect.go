package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// detect carries out what one input to the failure detector wants done.
func (c *Core) detect(now time.Time, out []swim.Action) {
	c.detected.Work(out, func(a *swim.Action) {
		if p := c.peerIn(a); p != nil {
			c.actOnPeer(now, p, a)
		} else {
			c.actOnMember(now, a)
		}
	})
}

// peerIn returns the peer that an action asks something for, or nil.
func (c *Core) peerIn(a *swim.Action) *peer {
	if a.Peer == nil || a.Kind == swim.Spread {
		return nil
	}
	return c.peers[a.Peer.ID]
}

func (c *Core) actOnPeer(now time.Time, p *peer, a *swim.Action) {
	switch a.Kind {
	case swim.SendPing:
		c.ping(now, p)
	case swim.SendNotice:
		c.notify(now, p, a.Member)
	case swim.SendProbeFor:
		c.plain = wire.AppendProbeFor(c.plain[:0], c.newID(), a.ProbeFor)
		c.sendPlain(now, p, c.plain)
	case swim.SendProbeResult:
		c.plain = wire.AppendProbeResult(c.plain[:0], c.newID(), a.ProbeResult)
		c.sendPlain(now, p, c.plain)
	case swim.CheckPath:
		p.set.CheckPath(now)
		c.wake(p)
	case swim.Watch:
		c.timers.Advance(&p.timer, a.At)
	case swim.EndLink:
		c.overlay.conclude(now, c.overlay.LinkFailed(c.overlay.acts, now, &p.overlay))
	case swim.DropLink:
		c.overlay.unlink(now, p)
	}
}

func (c *Core) actOnMember(now time.Time, a *swim.Action) {
	switch a.Kind {
	case swim.Reach:
		c.reachOut(now, a.ID, a.Addr, a.Again)
	case swim.Spread:
		var via *peer
		if a.Peer != nil {
			via = c.peers[a.Peer.ID]
		}
		c.spreadAccusation(now, a.Member, via)
	case swim.DeclareDead:
		c.declareDead(now, a.Member)
	case swim.RemoveAlone:
		c.memberRemoved(now, c.members.Fail(now, a.Member, c.cfg.ID))
	case swim.TakeCensus:
		c.swim.StartCensus(now)
	case swim.Refute:
		c.warn(now, "defend", "other nodes took this node for %s: telling them that it is alive", a.State)
		c.refute(now, a.Incarnation)
		c.timers.Advance(&c.membership.timer, now)
	default:
		c.logDetection(now, a)
	}
}

// reachOut asks a node for a sign of life: by a Ping, and by a handshake if there is no session, or if again is set
// because the Ping had no answer: the node may have closed its side of the session.
func (c *Core) reachOut(now time.Time, id wire.NodeID, addr netip.AddrPort, again bool) {
	p := c.peers[id]
	current := p != nil && p.set.Current(now) != nil
	if current {
		c.pingSilent(now, p)
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
func (c *Core) pingSilent(now time.Time, p *peer) {
	if p.legacy || !p.linked {
		c.ping(now, p)
		return
	}
	c.plain = wire.AppendSyncRoot(c.appendPing(c.plain[:0], now, p, swim.Purpose{}), c.newID(), c.rootFor(now, p))
	c.sendPlain(now, p, c.plain)
}

// rootFor is the SyncRoot for p.
func (c *Core) rootFor(now time.Time, p *peer) wire.SyncRoot {
	return wire.SyncRoot{Root: c.members.Root(), Count: uint32(c.members.Count()), Heard: p.heardAge(now)}
}

// heardAge is how long ago a packet of p was opened, in milliseconds rounded up.
func (p *peer) heardAge(now time.Time) uint32 {
	age := min(max(now.Sub(p.set.LastOpened()), 0), 1<<31*time.Millisecond)
	return uint32((age + time.Millisecond - 1) / time.Millisecond)
}

// notify tells p that it is suspected, or taken for dead, so that it refutes if it lives.
func (c *Core) notify(now time.Time, p *peer, m *members.Entry) {
	if p.legacy || p.set.Current(now) == nil || !c.swim.MayNotify(now, &p.swim) {
		return
	}
	c.correct(now, p, m)
}

// handleProbeFor takes the request of p to probe a node.
func (c *Core) handleProbeFor(now time.Time, p *peer, data []byte) {
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
	out, ok := c.swim.HandleProbeFor(c.detected, now, &p.swim, &f)
	if !ok {
		c.drop(DropOversize)
	}
	c.detect(now, out)
}

// handleProbeResult takes what the helper p found out.
func (c *Core) handleProbeResult(now time.Time, p *peer, data []byte) {
	r, err := wire.ParseProbeResult(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	c.detect(now, c.swim.HandleProbeResult(c.detected, now, &p.swim, r))
}

// applySuspect takes in an accusation that another node passed on.
func (c *Core) applySuspect(now time.Time, m *members.Entry, e *wire.Member, via *peer) {
	c.detect(now, c.swim.HandleAccusation(c.detected, now, m, e.Incarnation, e.From, via.detection()))
}

// detection returns what failure detection knows of p, which may be nil.
func (p *peer) detection() *swim.Peer {
	if p == nil {
		return nil
	}
	return &p.swim
}

// defend takes in an entry about this node itself.
func (c *Core) defend(now time.Time, e *wire.Member, from *peer) {
	if members.TooFarAhead(now, e.Incarnation) {
		return
	}
	c.detect(now, c.swim.HandleSelf(c.detected, e, from.detection()))
}

// HealthScore is how unwell this node is itself, from 0 for well to AwarenessMaxMultiplier - 1.
func (c *Core) HealthScore() int { return c.swim.Health() }
