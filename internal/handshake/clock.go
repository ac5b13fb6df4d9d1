package handshake

import (
	"time"
)

const (
	boundWindow  = 60 * time.Second // the maximum deviation of a bound Hello's timestamp
	legacyWindow = time.Second      // the same for an unbound one; gwyh 0.1 itself accepts 60 ms
)

// A stampClock makes the timestamps of our own Hellos. They increase strictly, so no two of our Hellos have the
// same one and none looks replayed. If the clock was set back by more than the window, the timestamps follow it,
// because peers would reject them otherwise (PROTOCOL.md E3).
type stampClock struct {
	last time.Time
}

// stamp returns the timestamp, in UTC, of a Hello that is sent now (PROTOCOL.md E3).
func (c *stampClock) stamp(now time.Time) time.Time {
	t := now.Round(0).UTC()
	if back := c.last.Sub(t); back >= 0 && back <= boundWindow {
		t = c.last.Add(time.Nanosecond)
	}
	c.last = t
	return t
}

// off returns the absolute difference between the timestamp and our wall clock (PROTOCOL.md E1).
func off(now, timestamp time.Time) time.Duration {
	return now.Round(0).Sub(timestamp).Abs()
}
