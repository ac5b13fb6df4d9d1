package gossip

import "time"

// awareness is how unwell this node is itself, from 0 for well: the local health multiplier of Lifeguard
// (arXiv 1707.00788). A node that is short of CPU, or whose packets are lost, hears nothing of the others
// and would call them all dead; instead it takes more time for each verdict the worse it is.
type awareness struct {
	score int
	most  int // AwarenessMaxMultiplier - 1
}

// note takes in what speaks for ill health, or below 0 against it.
func (a *awareness) note(delta int) { a.score = min(max(a.score+delta, 0), a.most) }

// stretch is a timeout as this node should take it now.
func (a *awareness) stretch(d time.Duration) time.Duration { return d * time.Duration(a.score+1) }

// HealthScore is how unwell this node is itself, from 0 for well to AwarenessMaxMultiplier - 1.
func (c *Core) HealthScore() int { return c.swim.aware.score }

// enter begins an input. All that was due at the last one was done then: what is due since, and by long,
// says that this node did not run.
func (c *Core) enter(now time.Time) {
	due := c.timers.Next()
	if due.Before(c.entered) {
		due = c.entered
	}
	c.entered = now
	if late := now.Sub(due); late > c.cfg.Heartbeat/2 && !due.IsZero() && c.timers.Len() > 0 {
		c.forgive(now, late)
		if late >= c.asleepFor() {
			c.wakeUp(now)
		}
	}
}

// forgive lets no peer be called silent for time in which this node itself did not run: its timers
// were late, so its ears were closed as well. Verdicts in progress begin anew.
func (c *Core) forgive(now time.Time, late time.Duration) {
	c.swim.aware.note(1)
	for _, p := range c.links {
		if heard := now.Add(-p.silence(silenceCheck)); p.swim.heard.Before(heard) {
			p.swim.heard = heard
		}
		p.swim.unheard = time.Time{} // this node did not send either
	}
	c.swim.heardAny = c.swim.heardAny.Add(late)
	for _, pr := range c.swim.probes {
		c.timers.Set(&pr.timer, now.Add(c.probeTimeout(now)))
	}
	for _, m := range c.members.Live() {
		if s := c.swim.suspicion(m); s != nil {
			s.began = s.began.Add(late)
			c.awaitVerdict(now, m)
		}
	}
}
