package handshake

import (
	"time"
)

const (
	boundWindow  = 60 * time.Second // how far a bound Hello's timestamp may be off
	legacyWindow = time.Second      // the same of an unbound one; gwyh 0.1 itself takes 60 ms
)

// A stampClock stamps our own Hellos. Timestamps rise strictly, so that no two Hellos of ours share
// one and none looks replayed; only after the clock was set back by more than the window do they
// follow it, because nobody would take them otherwise (PROTOCOL.md 4, "Handshake economy").
type stampClock struct {
	last time.Time
}

// stamp is the timestamp for a Hello sent now, in UTC.
func (c *stampClock) stamp(now time.Time) time.Time {
	t := now.Round(0).UTC()
	if back := c.last.Sub(t); back >= 0 && back <= boundWindow {
		t = c.last.Add(time.Nanosecond)
	}
	c.last = t
	return t
}

// off is how far the timestamp is from our wall clock, either way.
func off(now, timestamp time.Time) time.Duration {
	return now.Round(0).Sub(timestamp).Abs()
}
