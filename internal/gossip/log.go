package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/timer"
)

// reporter writes the log and the trace of a core.
type reporter struct {
	core     *Core
	logbook  logbook.Book
	logTimer timer.Timer // of counts of lines left out
}

// log writes a line about a topic, within the topic's bound. A format quotes (%q) what a peer chose.
func (rp *reporter) log(now time.Time, t logbook.Topic, format string, args ...any) {

	var lines [2]string // the line, and perhaps the count of those left out before it
	rp.emitLines(now, rp.logbook.Append(lines[:0], now, t, format, args...))
}

// warn writes a line at WARN unless one of the same kind was written a short time ago. A format quotes (%q) what a peer
// chose.
func (rp *reporter) warn(now time.Time, kind, format string, args ...any) {

	var lines [1]string
	rp.emitLines(now, rp.logbook.AppendWarning(lines[:0], now, kind, format, args...))
}

// tickLog writes how many lines were left out.
func (rp *reporter) tickLog(now time.Time) {

	rp.emitLines(now, rp.logbook.Tick(nil, now))
}

func (rp *reporter) emitLines(now time.Time, lines []string) {
	c := rp.core
	for _, text := range lines {
		c.events.add(Event{Kind: EventLog, Text: text})
	}
	if at := rp.logbook.NextTimeout(); !at.IsZero() {
		c.timers.Advance(&rp.logTimer, at)
	}
}

// SetDebug says whether anybody wants lines at DEBUG.
func (c *Core) SetDebug(wanted bool) { c.cfg.Debug = wanted }
