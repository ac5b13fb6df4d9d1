package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// selectionPause is how long after an answer the application is asked again whom to choose, if members have
// changed meanwhile.
const selectionPause = 250 * time.Millisecond

// A selection is the application's word on which members may be chosen for subscriptions and for push/pulls. Until
// it has said anything all may, so that a Join waits for nobody. A member that it has not been asked about yet may
// not, because such a choice would soon end.
type selection struct {
	timer     timer
	asked     bool          // an answer is awaited
	version   uint64        // Core.version when the last question was asked
	answered  bool          // there was an answer
	chosen    []wire.NodeID // the last answer, in its order
	selected  map[wire.NodeID]bool
	preferred wire.NodeID // is chosen in any case; zero for none
}

// allows reports whether a member may be chosen.
func (s *selection) allows(id wire.NodeID) bool {
	return !s.answered || s.selected[id] || id == s.preferred
}

// wantSelection asks the application whom to choose after a change of the members.
func (c *Core) wantSelection(now time.Time) {
	s := &c.subs.selection
	if !c.cfg.AskSelection || s.asked || s.timer.pos != 0 {
		return
	}
	pause := selectionPause
	if !s.answered {
		pause = 0
	}
	c.timers.set(&s.timer, now.Add(pause))
}

// askSelection asks about all Go members but this node itself.
func (c *Core) askSelection(time.Time) {
	e := Event{Kind: EventSelectionWanted}
	for m := range c.members.each {
		if m != c.self && !m.legacy() {
			e.Peers = append(e.Peers, m.Member)
			e.Since = append(e.Since, m.since)
		}
	}
	c.subs.selection.asked = true
	c.subs.selection.version = c.version
	c.events = append(c.events, e)
}

// SetSelection answers an EventSelectionWanted: which of its Peers may be chosen, and which one is chosen in any
// case; zero for none.
func (c *Core) SetSelection(now time.Time, selected []wire.NodeID, preferred wire.NodeID) {
	s := &c.subs.selection
	s.asked = false
	before, again := s.chosen, s.version != c.version
	s.chosen = append(slices.Clone(selected), preferred)
	s.answered, s.preferred, s.selected = true, preferred, make(map[wire.NodeID]bool, len(selected))
	for _, id := range selected {
		s.selected[id] = true
	}
	if again {
		c.wantSelection(now)
	}
	if !slices.Equal(before, s.chosen) {
		c.wantChoice(now)
	}
}

// choosePreferred adds the member that the application prefers to the choice.
func (c *Core) choosePreferred(now time.Time) {
	if m := c.members.get(c.subs.selection.preferred); m != nil && m.live() && c.candidate(now, m) {
		c.subs.choice = append(c.subs.choice, m.ID)
	}
}

// drawPartner draws a member for a push/pull; nil if there is none.
func (c *Core) drawPartner() *member {
	var partners []*member
	if !c.subs.selection.answered { // the usual case, without a walk
		m := c.members.draw(c.rng)
		for m.ID == c.cfg.ID || m.legacy() {
			m = c.members.draw(c.rng)
		}
		return m
	}
	for m := range c.members.each {
		if m != c.self && !m.legacy() && c.subs.selection.allows(m.ID) {
			partners = append(partners, m)
		}
	}
	if len(partners) == 0 {
		return nil
	}
	slices.SortFunc(partners, func(a, b *member) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return partners[c.rng.IntN(len(partners))]
}
