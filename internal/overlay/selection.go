package overlay

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// followSelection asks the application which members may be chosen if the members have changed since it was last
// asked, and makes a choice due when that is to be looked at again.
func (o *Overlay) followSelection(now time.Time, c Contacts) {
	ask, again := o.selection.Due(now, o.version, o.linkless(c))
	if ask {
		o.askSelection(now)
	}
	o.choiceAt = timer.Soonest(o.choiceAt, again)
}

// AskSelection asks the application about all members, unless a question is still without an answer.
func (o *Overlay) AskSelection(out []Action, now time.Time) []Action {
	o.begin(out)
	o.askSelection(now)
	return o.end()
}

func (o *Overlay) askSelection(now time.Time) {
	if o.selection.Pending() {
		return
	}
	ids := make([]wire.NodeID, 0, o.members.Count())
	for m := range o.members.Each {
		ids = append(ids, m.ID)
	}
	o.selection.Asked(now, o.version, ids)
	o.act(Action{Kind: AskSelection})
}

// Select takes the application's answer to AskSelection: which of the members may be chosen, and which one is chosen
// before all others, whether it is among the selected or not; zero for none. It reports whether the answer was waited
// for. The caller calls Rechoose next.
func (o *Overlay) Select(out []Action, now time.Time, c Contacts, selected []wire.NodeID, preferred wire.NodeID) (acts []Action, expected bool) {
	if !o.selection.Pending() {
		return out, false
	}
	o.begin(out)
	o.selection.Answered(now, selected, preferred)
	o.chooseFirst(now, c)
	return o.end(), true
}

// DrawSelected draws one of the selected Go members other than this node; nil if there is none. It is the preferred
// one if preferred is set and there is one.
func (o *Overlay) DrawSelected(now time.Time, preferred bool) (drawn *members.Entry) {
	if m := o.members.Get(o.selection.Latest()); preferred && m != nil && m.Live() {
		return m
	}
	n := 0
	for m := range o.members.Each {
		if m.ID == o.self || m.Legacy() || !o.selection.Allows(now, m.ID) {
			continue
		}
		if n++; o.rng.IntN(n) == 0 {
			drawn = m
		}
	}
	return drawn
}
