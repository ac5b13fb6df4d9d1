package joining

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// leaveWaits are the times that a leaving node waits for its links to confirm the leave before it repeats the
// announcement. After the last wait it gives up.
var leaveWaits = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}

// A Leave is a leave that some former links have not confirmed. A node that has left no longer answers, so a link that
// was not informed would consider it failed. The zero Leave is over (PROTOCOL.md M8).
type Leave struct {
	to    []wire.NodeID
	tries int
	due   time.Time
}

// Begin begins the leave from the given links.
func (l *Leave) Begin(links []wire.NodeID) {
	l.to, l.tries, l.due = slices.Clone(links), 0, time.Time{}
}

// Due returns when Step must be called. Zero means that the leave is over or was not begun.
func (l *Leave) Due() time.Time { return l.due }

// Step returns the links to inform now. If there are none, the leave is over: all links have confirmed it, are
// unreachable or do not answer. back says that the node has joined again in the meantime.
func (l *Leave) Step(now time.Time, back bool, reachable func(wire.NodeID) bool) (receivers []wire.NodeID) {
	l.to = slices.DeleteFunc(l.to, func(id wire.NodeID) bool { return !reachable(id) })
	if back || l.tries == len(leaveWaits) || len(l.to) == 0 {
		l.to, l.due = nil, time.Time{}
		return nil
	}
	l.due = now.Add(leaveWaits[l.tries])
	l.tries++
	return l.to
}

// Confirmed records that a link knows of the leave. It reports whether the leave is now over.
func (l *Leave) Confirmed(id wire.NodeID) (over bool) {
	l.to = slices.DeleteFunc(l.to, func(o wire.NodeID) bool { return o == id })
	if len(l.to) > 0 || l.due.IsZero() {
		return false
	}
	l.due = time.Time{}
	return true
}
