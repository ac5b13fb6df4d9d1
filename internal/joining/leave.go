package joining

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// leaveWaits is how long a node that leaves waits for its links to confirm that they know, before it tells them again.
// After the last wait it gives up.
var leaveWaits = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}

// A Leave is a departure that not all former links have confirmed. A node that has left does not answer any more, so a
// link that has not been told would take it for failed. The zero Leave is over.
type Leave struct {
	to    []wire.NodeID
	tries int
	due   time.Time
}

// Begin begins the departure from some links.
func (l *Leave) Begin(links []wire.NodeID) {
	l.to, l.tries, l.due = slices.Clone(links), 0, time.Time{}
}

// Due is when Step is to be called; zero if the departure is over or was not begun.
func (l *Leave) Due() time.Time { return l.due }

// Step returns the links that are told now. The departure is over if there is none: all have confirmed it, or cannot be
// reached, or do not answer. back says that the node has joined again meanwhile.
func (l *Leave) Step(now time.Time, back bool, reachable func(wire.NodeID) bool) (tell []wire.NodeID) {
	l.to = slices.DeleteFunc(l.to, func(id wire.NodeID) bool { return !reachable(id) })
	if back || l.tries == len(leaveWaits) || len(l.to) == 0 {
		l.to, l.due = nil, time.Time{}
		return nil
	}
	l.due = now.Add(leaveWaits[l.tries])
	l.tries++
	return l.to
}

// Confirmed says that a link knows of the departure. It reports whether the departure is over now.
func (l *Leave) Confirmed(id wire.NodeID) (over bool) {
	l.to = slices.DeleteFunc(l.to, func(o wire.NodeID) bool { return o == id })
	if len(l.to) > 0 || l.due.IsZero() {
		return false
	}
	l.due = time.Time{}
	return true
}
