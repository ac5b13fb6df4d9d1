package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
)

// log writes a line about a topic, within the topic's bound. A format quotes (%q) what a peer chose.
func (c *Core) log(now time.Time, t logbook.Topic, format string, args ...any) {
	var lines [2]string // the line, and perhaps the count of those left out before it
	c.emitLines(now, c.logbook.Append(lines[:0], now, t, format, args...))
}

// warn writes a line at WARN unless one of the same kind was written a short time ago. A format quotes (%q) what a peer
// chose.
func (c *Core) warn(now time.Time, kind, format string, args ...any) {
	var lines [1]string
	c.emitLines(now, c.logbook.AppendWarning(lines[:0], now, kind, format, args...))
}

// tickLog writes how many lines were left out.
func (c *Core) tickLog(now time.Time) { c.emitLines(now, c.logbook.Tick(nil, now)) }

func (c *Core) emitLines(now time.Time, lines []string) {
	for _, text := range lines {
		c.events = append(c.events, Event{Kind: EventLog, Text: text})
	}
	if at := c.logbook.NextTimeout(); !at.IsZero() {
		c.timers.Advance(&c.logTimer, at)
	}
}

// SetDebug says whether anybody wants lines at DEBUG.
func (c *Core) SetDebug(wanted bool) { c.cfg.Debug = wanted }
