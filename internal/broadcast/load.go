package broadcast

import "time"

// A link becomes busy when it carries busyCount messages within busyPeriod, and stays busy until a span with fewer.
const (
	busyPeriod = 20 * time.Millisecond
	busyCount  = 32
)

// load measures the rate of small messages on a link. The zero value is an idle link (PROTOCOL.md Q13).
type load struct {
	began time.Time // start of the current span
	count int       // messages in the current span
	busy  bool
}

// note counts one message and reports whether the link is busy.
func (l *load) note(now time.Time) (busy bool) {
	if passed := now.Sub(l.began); passed > busyPeriod {
		l.busy = l.count >= busyCount && passed < 2*busyPeriod
		l.began, l.count = now, 0
	}
	l.count++
	l.busy = l.busy || l.count >= busyCount
	return l.busy
}

// Busy reports whether the link with n was busy when it carried its last small message. A datagram for it may then be
// delayed to be filled.
func (n *Neighbor) Busy() bool { return n.load.busy }
