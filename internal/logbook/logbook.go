// Package logbook decides which lines a node writes to its log. Peers can cause lines, so each kind of line has a
// bound, and suppressed lines are counted and mentioned.
//
// A Book owns the counts. It does not write, and it knows no members or peers: the caller passes the text, and the Book
// returns the lines. Lines contain no key and no payload. A format quotes (%q) any text that a peer chose.
//
// To read it: topic.go lists the topics, logbook.go has the bounds.
package logbook

import (
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
)

// Bounds of the log.
const (
	Interval = 10 * time.Second // the time that the bounds apply to

	infoLines  = 10  // lines of one topic per Interval, at INFO and WARN
	debugLines = 50  // lines of one topic per Interval, at DEBUG
	kinds      = 256 // kinds of warnings counted separately; beyond that, the least recently used is forgotten
)

// A Book counts the lines of one node, so that many lines neither flood the log nor go unmentioned. It is not safe for
// concurrent use.
type Book struct {
	topics   [Topics]window
	warnings quota.Map[string, warning]
}

// window holds the counts of a topic since a time. It ends after Interval.
type window struct {
	since   time.Time
	written int
	leftOut int
}

// end returns when the suppressed lines are summed up.
func (w *window) end() time.Time { return w.since.Add(Interval) }

// warning holds the counts of a kind of warning.
type warning struct {
	last       time.Time
	suppressed int
}

// New returns an empty Book.
func New() Book {
	return Book{warnings: quota.NewMap[string, warning](kinds)}
}

// Append appends a line about a topic to lines. Beyond the topic's bound, it only counts the line. Tick or the next
// line of the topic appends that count when the interval is over.
func (b *Book) Append(lines []string, now time.Time, t Topic, format string, args ...any) []string {
	w := &b.topics[t]
	if !now.Before(w.end()) {
		lines = b.sumUp(lines, t)
		w.since, w.written = now, 0
	}
	if w.written >= t.bound() {
		w.leftOut++
		return lines
	}
	w.written++
	return append(lines, line(topics[t].level, fmt.Sprintf(format, args...)))
}

// Suppress reports whether a warning would be suppressed, and if so counts it. It is cheaper than AppendWarning.
func (b *Book) Suppress(now time.Time, kind string) bool {
	k, ok := b.warnings.Get(kind)
	if !ok || now.Sub(k.last) >= Interval {
		return false
	}
	k.suppressed++
	b.warnings.Set(kind, k)
	return true
}

// AppendWarning appends a WARN line to lines, unless one of the same kind was written less than Interval ago. The next
// line of the kind then mentions the number of suppressed ones.
func (b *Book) AppendWarning(lines []string, now time.Time, kind, format string, args ...any) []string {
	if b.Suppress(now, kind) {
		return lines
	}
	k, _ := b.warnings.Get(kind)
	text := fmt.Sprintf(format, args...)
	if k.suppressed > 0 {
		text += fmt.Sprintf(" (and %d more like it)", k.suppressed)
	}
	b.warnings.Set(kind, warning{last: now})
	return append(lines, line("WARN", text))
}

// Tick appends the counts of suppressed lines whose interval is over.
func (b *Book) Tick(lines []string, now time.Time) []string {
	for t := range Topics {
		if w := &b.topics[t]; w.leftOut > 0 && !w.end().After(now) {
			lines = b.sumUp(lines, t)
		}
	}
	return lines
}

// NextTimeout returns when to call Tick, or the zero time if never.
func (b *Book) NextTimeout() (next time.Time) {
	for t := range b.topics {
		if w := &b.topics[t]; w.leftOut > 0 {
			next = timer.Soonest(next, w.end())
		}
	}
	return next
}

// sumUp appends the number of suppressed lines of a topic, if there are any.
func (b *Book) sumUp(lines []string, t Topic) []string {
	w := &b.topics[t]
	if w.leftOut == 0 {
		return lines
	}
	lines = append(lines, line(topics[t].level, fmt.Sprintf("and %d more %s", w.leftOut, topics[t].leftOut)))
	w.leftOut = 0
	return lines
}

func line(level, text string) string { return "[" + level + "] gwyh: " + text }
