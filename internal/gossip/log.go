package gossip

import (
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
)

// Bounds of the log. Peers can cause lines, so each kind of line has a bound, and the kinds are few.
const (
	logInterval = 10 * time.Second // the time that the bounds hold for
	logKinds    = 256              // kinds of logLimited that are told apart
	infoLines   = 10               // of one topic in logInterval, at INFO
	debugLines  = 50               // and at DEBUG
)

// A topic is what a line of the log is about. Each topic has a bound of its own.
type topic uint8

const (
	topicJoined topic = iota
	topicLeft
	topicFailed
	topicBack
	topicName
	topicPath
	topicPartition
	topicSuspicion
	topicRefutation
	topicProbe
	topicHandshake
	topicLink
	topicChoice
	topics
)

// topicOf says how the lines of each topic begin and what a summary calls those that were left out.
var topicOf = [topics]struct{ level, leftOut string }{
	topicJoined:     {"INFO", "members joined"},
	topicLeft:       {"INFO", "members left"},
	topicFailed:     {"INFO", "members failed"},
	topicBack:       {"INFO", "members are back"},
	topicName:       {"WARN", "name conflicts"},
	topicPath:       {"INFO", "paths were measured"},
	topicPartition:  {"INFO", "lines about partitions"},
	topicSuspicion:  {"DEBUG", "suspicions"},
	topicRefutation: {"DEBUG", "refutations"},
	topicProbe:      {"DEBUG", "lines about probes"},
	topicHandshake:  {"DEBUG", "lines about handshakes"},
	topicLink:       {"DEBUG", "lines about links"},
	topicChoice:     {"DEBUG", "choices"},
}

// most is how many lines of the topic are written in logInterval.
func (t topic) most() int {
	if topicOf[t].level == "DEBUG" {
		return debugLines
	}
	return infoLines
}

// logbook counts the lines, so that many at once neither flood the log nor go unmentioned.
type logbook struct {
	topics [topics]logWindow
	timer  timer.Timer // of the next summary
	limits quota.Map[string, logLimit]
}

// logWindow is what a topic had since a time. It is over after logInterval.
type logWindow struct {
	since   time.Time
	written int
	leftOut int
}

// log writes a line about a topic. Beyond the topic's bound it counts the line instead, and a line at the end of the
// interval says how many there were. A format quotes (%q) what a peer chose.
func (c *Core) log(now time.Time, t topic, format string, args ...any) {
	w := &c.logbook.topics[t]
	if now.Sub(w.since) >= logInterval {
		c.sumUp(t)
		w.since, w.written = now, 0
	}
	if w.written >= t.most() {
		w.leftOut++
		c.timers.Advance(&c.logbook.timer, w.since.Add(logInterval))
		return
	}
	w.written++
	c.logLine(fmt.Sprintf("[%s] gwyh: %s", topicOf[t].level, fmt.Sprintf(format, args...)))
}

// sumUp writes how many lines of a topic were left out, if any were.
func (c *Core) sumUp(t topic) {
	if w := &c.logbook.topics[t]; w.leftOut > 0 {
		c.logLine(fmt.Sprintf("[%s] gwyh: and %d more %s", topicOf[t].level, w.leftOut, topicOf[t].leftOut))
		w.leftOut = 0
	}
}

// sumUpDue writes the summaries whose time has come.
func (c *Core) sumUpDue(now time.Time) {
	for t := range topics {
		w := &c.logbook.topics[t]
		if w.leftOut == 0 {
			continue
		}
		if end := w.since.Add(logInterval); end.After(now) {
			c.timers.Advance(&c.logbook.timer, end)
		} else {
			c.sumUp(t)
		}
	}
}

func (c *Core) logLine(text string) {
	c.events = append(c.events, Event{Kind: EventLog, Text: text})
}

// SetDebug says whether anybody wants lines at DEBUG.
func (c *Core) SetDebug(wanted bool) { c.cfg.Debug = wanted }

type logLimit struct {
	last       time.Time
	suppressed int
}

// logLimited writes a line unless one of the same kind was written less than logInterval ago. A peer
// can cause lines, so they are few and carry no key and no payload. A format quotes (%q) what a peer chose.
func (c *Core) logLimited(now time.Time, kind, format string, args ...any) {
	limits := &c.logbook.limits
	l, ok := limits.Get(kind)
	if ok && now.Sub(l.last) < logInterval {
		l.suppressed++
		limits.Set(kind, l)
		return
	}
	text := fmt.Sprintf(format, args...)
	if l.suppressed > 0 {
		text += fmt.Sprintf(" (and %d more like it)", l.suppressed)
	}
	limits.Set(kind, logLimit{last: now})
	c.logLine(text)
}
