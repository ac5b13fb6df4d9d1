package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of a census.
const (
	censusStep  = 250 * time.Millisecond
	censusBatch = 16 // members asked in one step
)

// A census asks all members that are not linked whether they live, a few at a time. A node takes one when nearly all of
// its links fail at once: there may be nobody left who watches the others, or who could confirm what this node finds
// out (docs/PROTOCOL.md V10).
type census struct {
	timer timer.Timer
	left  []wire.NodeID // to be asked
}

// linksFail reports whether more than three quarters of the links are probed in vain or silent, or there is none.
func (c *Core) linksFail(now time.Time) bool {
	bad, all := 0, 0
	for _, p := range c.links {
		if p.legacy || !c.isLive(p.id) {
			continue
		}
		all++
		if !c.linkWorks(now, p) {
			bad++
		}
	}
	return 4*bad > 3*all || all == 0
}

// linkWorks reports whether p is a Go member that this node does not accuse, and both directions of the link work.
func (c *Core) linkWorks(now time.Time, p *peer) bool {
	m := c.members.Get(p.id)
	return c.isLive(p.id) && !p.legacy && !c.swim.accuses(m) && now.Sub(p.mutual()) < p.silence(silenceCheck)
}

func (c *Core) startCensus(now time.Time) {
	x := &c.swim.census
	if x.timer.Pending() {
		return
	}
	x.left = x.left[:0]
	for m := range c.members.Each {
		if c.censusAsks(m) {
			x.left = append(x.left, m.ID)
		}
	}
	c.rng.Shuffle(len(x.left), func(i, k int) { x.left[i], x.left[k] = x.left[k], x.left[i] })
	c.timers.Set(&x.timer, now)
}

// censusAsks reports whether a census asks m: its links are watched anyway.
func (c *Core) censusAsks(m *members.Entry) bool {
	p := c.peers[m.ID]
	known := c.swim.accuses(m) || p != nil && p.linked
	return m != c.self && !m.Legacy() && !known
}

// stepCensus asks the next members. When the links are well again, and none of them has ended, it was a disturbance, and
// the census is over.
func (c *Core) stepCensus(now time.Time) {
	x := &c.swim.census
	n := min(len(x.left), censusBatch)
	for _, id := range x.left[:n] {
		if m := c.members.Get(id); m != nil && m.Live() && c.censusAsks(m) {
			c.startProbe(now, m, true)
		}
	}
	x.left = slices.Delete(x.left, 0, n)
	if len(x.left) == 0 || !c.self.Live() || !c.linksFail(now) && c.overlay.Started() >= c.cfg.Subscriptions {
		x.left = nil
		return
	}
	c.timers.Set(&x.timer, now.Add(censusStep))
}
