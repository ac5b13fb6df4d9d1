package broadcast

import "time"

// A link is busy if it carries busyCount messages in a busySpan, until a span with fewer.
const (
	busySpan  = 20 * time.Millisecond
	busyCount = 32
)

// load is how many small messages go along a link. The zero value is a link at ease.
type load struct {
	began time.Time // of the present span
	count int       // messages in it
	busy  bool
}

// count counts one message and reports whether the link is busy.
func (l *load) note(now time.Time) (busy bool) {
	if passed := now.Sub(l.began); passed > busySpan {
		l.busy = l.count >= busyCount && passed < 2*busySpan
		l.began, l.count = now, 0
	}
	l.count++
	l.busy = l.busy || l.count >= busyCount
	return l.busy
}

// Busy reports whether the link with n carried many small messages when the last one went along it. A datagram for it may
// wait for company.
func (n *Neighbor) Busy() bool { return n.load.busy }
