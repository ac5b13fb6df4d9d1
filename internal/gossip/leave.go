package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// farewellWaits is how long a node that leaves waits for its links to say that they know, before it tells
// them again; after the last it does not.
var farewellWaits = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}

// A farewell is a departure that not all who were linked have confirmed yet. A node that goes is soon not
// there to be asked, and who has not heard of it would take it for dead.
type farewell struct {
	timer timer.Timer
	tries int
	to    []wire.NodeID
}

// Leave tells all links that this node departs, and takes it out of its own members. An EventDeparted says
// that they know, or do not answer. Sessions stay, so that late questions are answered, until the core is
// dropped.
func (c *Core) Leave(now time.Time) {
	if !c.self.Live() {
		if !c.farewell.timer.Pending() {
			c.events = append(c.events, Event{Kind: EventDeparted})
		}
		return
	}
	c.emitChange(c.members.Leave(now))
	c.log(now, logbook.Left, "this node leaves")
	c.memberChanged(now)
	c.spread(now, c.self, nil, flooded)
	c.flushNews(now)
	c.Flush(now)
	c.leaveLegacy(now)
	c.farewell.tries = 0
	for _, p := range c.links {
		if !p.legacy {
			c.farewell.to = append(c.farewell.to, p.id)
		}
	}
	c.overlaid(now, c.overlay.Leave(c.overlay.acts, now))
	for _, j := range slices.Clone(c.joins) {
		if j.token == 0 {
			c.endJoin(now, j, nil)
		}
	}
	c.bidFarewell(now)
}

// bidFarewell tells the links of a departure that they have not confirmed.
func (c *Core) bidFarewell(now time.Time) {
	f := &c.farewell
	if f.tries == len(farewellWaits) || c.self.Live() {
		f.to = nil
	}
	f.to = slices.DeleteFunc(f.to, func(id wire.NodeID) bool {
		p := c.peers[id]
		return p == nil || p.set.Current(now) == nil
	})
	if len(f.to) == 0 {
		c.departed()
		return
	}
	for _, id := range f.to {
		p := c.peers[id]
		w := wire.BeginMembers(c.plain[:0], c.newID())
		w.Append(c.self.Fill(&c.entry), controlMax)
		c.plain = c.appendPing(w.End(), now, p, swim.Purpose{Leave: true})
		c.sendPlain(now, p, c.plain)
	}
	c.timers.Set(&f.timer, now.Add(farewellWaits[f.tries]))
	f.tries++
}

// farewellHeard takes note that p knows of our departure.
func (c *Core) farewellHeard(p *peer) {
	f := &c.farewell
	f.to = slices.DeleteFunc(f.to, func(id wire.NodeID) bool { return id == p.id })
	if len(f.to) == 0 && f.timer.Pending() {
		c.departed()
	}
}

func (c *Core) departed() {
	c.farewell.to = nil
	c.timers.Stop(&c.farewell.timer)
	c.events = append(c.events, Event{Kind: EventDeparted})
}

// remind tells a peer that speaks to this node as to a member that it has left.
func (c *Core) remind(now time.Time, p *peer) {
	if !c.self.Live() && !p.legacy {
		c.notify(now, p, c.self)
	}
}
