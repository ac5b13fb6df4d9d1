package pushpull

import (
	"math/bits"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// fewNodes is the cluster size up to which the interval of push/pulls is constant.
const fewNodes = 32

// Start schedules the first push/pull at a random time in the interval, so that nodes that start together do not
// synchronize.
func (x *Exchanger) Start(now time.Time, t *members.Table) {
	if i := x.interval(t.Count()); i > 0 {
		x.pull.due = x.deadlineAt(now.Add(1 + time.Duration(x.rng.Int64N(int64(i)))))
	}
}

// interval returns the time between push/pulls of this node in a cluster of count members. In a larger cluster it grows
// by one interval each time the cluster size doubles (PROTOCOL.md B2).
func (x *Exchanger) interval(count int) time.Duration {
	times := 1 + bits.Len(uint(max(count-1, 0)/fewNodes))
	return x.Config.Interval / time.Duration(max(x.Config.Nodes, 1)) * time.Duration(times)
}

// pullDue schedules the next push/pull and begins the current one. It does neither if Interval is not positive.
func (x *Exchanger) pullDue(out []Outcome, now time.Time, t *members.Table) []Outcome {
	i := x.interval(t.Count())
	if x.Config.Interval <= 0 {
		x.pull.due, x.stale = deadline{}, true
		return out
	}
	x.pull.due = x.deadlineAt(now.Add(i - i/8 + time.Duration(x.rng.Int64N(int64(i/4)))))
	switch {
	case !t.Self().Live() || t.CountGo() < 2:
		return out
	case x.Config.AskSelection:
		x.pull.selection = true
		return append(out, Outcome{Kind: SelectionWanted})
	}
	return append(out, Outcome{Kind: Pull, Entry: x.drawPull(t)})
}

// drawPull returns a random Go node among at least two, which is not this node.
func (x *Exchanger) drawPull(t *members.Table) *members.Entry {
	m := t.Draw(x.rng)
	for m == t.Self() || m.Legacy() {
		m = t.Draw(x.rng)
	}
	return m
}

// Selected reports whether a push/pull waited for the application's selection, and ends the wait.
func (x *Exchanger) Selected() bool {
	waited := x.pull.selection
	x.pull.selection = false
	return waited
}

// TakeTurn counts a push/pull with a selected member. It reports whether it is the turn of the preferred member, which
// has one in each interval.
func (x *Exchanger) TakeTurn() bool {
	x.pull.turn++
	return x.pull.turn%max(x.Config.Nodes, 1) == 0
}

// PullFrom records the member for the push/pull, which begins as soon as there is a session.
func (x *Exchanger) PullFrom(id wire.NodeID) { x.pull.next = id }

// TakePull reports whether the push/pull waited for a session with the given node, and ends the wait.
func (x *Exchanger) TakePull(id wire.NodeID) bool {
	if x.pull.next != id {
		return false
	}
	x.pull.next = wire.NodeID{}
	return true
}
