package gossip

import (
	"time"
)

// What silence means (docs/PROTOCOL.md G7).
const (
	silenceCheck = 2.2 // heartbeat intervals before a link is probed
	silenceLost  = 5   // and before it ends, if its peer lives as others say
	silencePing  = 500 * time.Millisecond
	beatJitter   = 1.1 // heartbeat intervals between two heartbeats at most
)

// silenceOf is the silence that so many heartbeat intervals make, for a node that probes in the given interval. Where
// heartbeats are rarer than probes, those after the first count less: a lost one costs a probe (PROTOCOL.md G7).
func silenceOf(interval, probe time.Duration, intervals float64) time.Duration {
	if further := max(probe, interval/3); further < interval {
		return time.Duration(beatJitter*float64(interval) + (intervals-beatJitter)*float64(further))
	}
	return time.Duration(intervals * float64(interval))
}

// silence is so many of p's heartbeat intervals. Those of gwyh 0.1 are never taken for rare.
func (p *peer) silence(intervals float64) time.Duration {
	if p.legacy {
		return silenceOf(p.swim.interval, p.swim.interval, intervals)
	}
	return silenceOf(p.swim.interval, p.core.cfg.ProbeInterval, intervals)
}

// tickSilence watches a peer that should be heard, and should hear this node. It returns when it is next needed.
func (c *Core) tickSilence(now time.Time, p *peer) time.Time {
	m := c.members.Get(p.id)
	if m == nil || !m.Live() {
		return c.tickStranger(now, p)
	}
	heard, check := p.mutual(), p.silence(silenceCheck)
	if p.swim.vouched.After(heard) {
		if now.Sub(heard) >= p.silence(silenceLost) && c.swim.suspicion(m) == nil && p.linked {
			c.overlaid(now, c.overlay.LinkFailed(c.overlay.acts, now, &p.overlay))
			return time.Time{}
		}
		heard = p.swim.vouched
	}
	switch {
	case now.Sub(heard) < check:
		return heard.Add(check)
	case now.Sub(p.swim.unheard) < c.unheardPause():
		return p.swim.unheard.Add(c.unheardPause())
	case !c.swim.accuses(m):
		c.startProbe(now, m, !p.linked)
	case now.Sub(p.swim.check) >= silencePing: // it has time to say that it lives
		c.nudge(now, p)
	}
	return now.Add(silencePing)
}

// tickStranger watches a peer that is not a member: nobody is told when it is lost.
func (c *Core) tickStranger(now time.Time, p *peer) time.Time {
	heard := p.mutual()
	silent, most := now.Sub(heard), p.silence(silenceLost)
	switch check := p.silence(silenceCheck); {
	case silent >= most:
		c.unlink(now, p)
		return time.Time{}
	case silent < check:
		return heard.Add(check)
	case now.Sub(p.swim.check) >= silencePing:
		c.nudge(now, p)
	}
	return p.swim.check.Add(silencePing)
}

// nudge asks a silent peer for an answer, on every path there may be.
func (c *Core) nudge(now time.Time, p *peer) {
	p.swim.check = now
	p.set.CheckPath(now)
	c.wake(p)
	c.ping(now, p)
}
