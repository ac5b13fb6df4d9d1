package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A link is alive only if both of its ends hear each other. That a peer is heard shows one direction. The other one
// shows in what the peer says: how long ago it heard this node (every SyncRoot has that), an answer to something that
// was sent to it, or a handshake (docs/PROTOCOL.md V9).

// mutual is until when both directions between this node and p are known to have worked.
func (p *peer) mutual() time.Time {
	if !p.swim.unheard.IsZero() && p.swim.echo.Before(p.swim.heard) {
		return p.swim.echo
	}
	return p.swim.heard
}

// hearingLinkUp begins to watch a link, as if p had just been heard and had heard this node.
func (c *Core) hearingLinkUp(now time.Time, p *peer) {
	p.swim.heard, p.swim.echo, p.swim.unheard = now, now, time.Time{}
	if p.packets.RTT() == 0 && !p.legacy {
		c.ping(now, p) // who answered the handshake does not know the round trip
	}
	round := int64(len(c.links)) * int64(max(c.cfg.ProbeInterval, c.cfg.Heartbeat))
	p.swim.lastTurn = now.Add(-time.Duration(c.rng.Int64N(round))) // so that turns do not meet
}

func (c *Core) hearingLinkDown(p *peer) { p.swim.unheard = time.Time{} }

// heardAge is how long ago a box of p was opened, in milliseconds rounded up.
func (p *peer) heardAge(now time.Time) uint32 {
	age := min(max(now.Sub(p.set.LastOpened()), 0), 1<<31*time.Millisecond)
	return uint32((age + time.Millisecond - 1) / time.Millisecond)
}

// rootFor is the SyncRoot for p.
func (c *Core) rootFor(now time.Time, p *peer) wire.SyncRoot {
	return wire.SyncRoot{Root: c.members.Root(), Count: uint32(c.members.Count()), Heard: p.heardAge(now)}
}

// heardBy takes note that p has heard something that this node sent at the given time or later.
func (c *Core) heardBy(now time.Time, p *peer, at time.Time) {
	if at.After(p.swim.echo) {
		p.swim.echo = at
	}
	c.answered(now, p)
}

// answered ends what waited for an answer of p. Only what p heard since it began counts: a node that cannot hear
// goes on to send.
func (c *Core) answered(now time.Time, p *peer) {
	if len(c.swim.probes) > 0 {
		if pr := c.probeOf(p.id); pr != nil && !p.swim.echo.Before(pr.began) {
			c.probeAnswered(now, p, pr)
		}
	}
	if len(c.swim.helps) > 0 {
		c.helped(now, p)
	}
	if s := c.swim.suspicions[p.id]; s != nil && s.private && !p.swim.echo.Before(s.began) {
		c.clearDoubt(now, c.members.Get(p.id))
	}
}

// noteHearing takes in how long ago p heard this node, as p says. A peer that has not heard it for several of its
// heartbeats gets a Ping, and is probed soon if it does not answer.
func (c *Core) noteHearing(now time.Time, p *peer, ago time.Duration) {
	c.heardBy(now, p, now.Add(-ago-p.packets.RTT()))
	switch {
	case !p.linked || ago < silenceOf(c.cfg.Heartbeat, c.cfg.ProbeInterval, silenceCheck):
		p.swim.unheard = time.Time{}
	case p.swim.unheard.IsZero():
		p.swim.unheard = now
		c.ping(now, p)
		c.timers.Advance(&p.timer, now.Add(c.unheardPause()))
	}
}

// unheardPause is how long a peer that has not heard this node has to answer before others are asked about it: most have
// lost two heartbeats, and hear the Ping.
func (c *Core) unheardPause() time.Duration { return c.cfg.ProbeTimeout / 5 }

// hearsNobody reports whether this node has heard no Go node for so long that it is cut off, or deaf, or the only one
// left. Its opinion of the others is of no use to them then, and they cannot contradict it.
func (c *Core) hearsNobody(now time.Time) bool {
	if now.Sub(c.swim.heardAny) < silenceOf(c.cfg.Heartbeat, c.cfg.ProbeInterval, silenceCheck) {
		return false
	}
	return !slices.ContainsFunc(c.links, func(p *peer) bool { return !p.legacy && now.Sub(p.swim.heard) < p.silence(silenceCheck) })
}

// heardNobodySince reports whether nothing of any Go node came after a time.
func (c *Core) heardNobodySince(t time.Time) bool { return !c.swim.heardAny.After(t) }
