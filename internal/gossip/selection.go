package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// followSelection asks the application whom to choose if the members have changed since it was asked last, and looks
// again when that is due.
func (c *Core) followSelection(now time.Time) {
	ask, again := c.subs.selection.Due(now, c.subs.changes, c.linkless())
	if ask {
		c.askSelection(now)
	}
	if !again.IsZero() {
		c.timers.Advance(&c.subs.timer, again)
	}
}

// askSelection asks the application about all members, unless it still owes an answer. A suspected member is shown as
// alive, which is what most of them prove to be: a choice that followed each suspicion would tear links for nothing.
func (c *Core) askSelection(now time.Time) {
	if c.subs.selection.Pending() {
		return
	}
	e := Event{Kind: EventSelectionWanted}
	ids := make([]wire.NodeID, 0, c.members.Count())
	for m := range c.members.Each {
		e.Peers, e.Since, ids = append(e.Peers, m.Member), append(e.Since, m.Since), append(ids, m.ID)
		e.Peers[len(ids)-1].State = wire.StateAlive
	}
	c.subs.selection.Asked(now, c.subs.changes, ids)
	c.events = append(c.events, e)
}

// SetSelection answers an EventSelectionWanted: which of its Peers may be chosen, and which one is chosen before all
// others, whether it is among the selected or not; zero for none.
func (c *Core) SetSelection(now time.Time, selected []wire.NodeID, preferred wire.NodeID) {
	if !c.subs.selection.Pending() {
		return
	}
	c.subs.selection.Answered(now, selected, preferred)
	c.chooseFirst(now)
	c.rechoose(now)
	if c.pull.waits {
		c.pull.waits = false
		c.pullFrom(now, c.drawSelected(now))
	}
}

// drawSelected draws one of the selected members for a push/pull; nil if there is none. The preferred one has the
// first of each PushPullNodes turns.
func (c *Core) drawSelected(now time.Time) (drawn *members.Entry) {
	c.pull.turn++
	m := c.members.Get(c.subs.selection.Latest())
	if c.pull.turn%max(c.cfg.PushPullNodes, 1) == 0 && m != nil && m.Live() {
		return m
	}
	n := 0
	for o := range c.members.Each {
		if o == c.self || o.Legacy() || !c.subs.selection.Allows(now, o.ID) {
			continue
		}
		if n++; c.rng.IntN(n) == 0 {
			drawn = o
		}
	}
	return drawn
}
