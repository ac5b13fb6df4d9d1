package pacing

import "time"

// A link becomes busy (Load) when it carries BusyCount messages within BusyPeriod, and stays busy until a span with fewer.
const (
	BusyPeriod = 20 * time.Millisecond
	BusyCount  = 32
)

// A Load measures the rate of small messages on a link. The zero value is an idle link (PROTOCOL.md Q13).
type Load struct {
	began time.Time // start of the current span
	count int       // messages in the current span
	Busy  bool      // the last message made or found the link busy
}

// Note counts one message and reports whether the link is busy.
func (l *Load) Note(now time.Time) (busy bool) {
	if passed := now.Sub(l.began); passed > BusyPeriod {
		l.Busy = l.count >= BusyCount && passed < 2*BusyPeriod
		l.began, l.count = now, 0
	}
	l.count++
	l.Busy = l.Busy || l.count >= BusyCount
	return l.Busy
}
