// Package logbook decides which lines a node writes to its log. Peers can cause lines, so each kind of line has a bound,
// and lines that are left out are counted and mentioned.
//
// A Book owns the counts. It does not write, and it knows nothing of members or peers: it returns the lines, and the
// caller passes what they say. Lines carry no key and no payload. A format quotes (%q) what a peer chose.
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
	Interval = 10 * time.Second // the time that the bounds hold for

	infoLines  = 10  // of one topic in Interval, at INFO and WARN
	debugLines = 50  // and at DEBUG
	kinds      = 256 // kinds of warnings that are counted separately; the ones not used for longest are forgotten
)

// A Book counts the lines of one node, so that many at once neither flood the log nor go unmentioned.
// Not for concurrent use.
type Book struct {
	topics   [Topics]window
	warnings quota.Map[string, warning]
}

// window is what a topic had since a time. It is over after Interval.
type window struct {
	since   time.Time
	written int
	leftOut int
}

// end returns when the lines that were left out are to be summed up.
func (w *window) end() time.Time { return w.since.Add(Interval) }

// warning is what is known of a kind of warning.
type warning struct {
	last       time.Time
	suppressed int
}

// New returns an empty Book.
func New() Book {
	return Book{warnings: quota.NewMap[string, warning](kinds)}
}

// Append appends a line about a topic to lines. Beyond the topic's bound it counts the line instead; the count is
// appended when the interval is over, by Tick or by the next line of the topic.
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

// Suppress counts a warning, and returns true, if it would be left out. It costs less than AppendWarning, for what strangers cause.
func (b *Book) Suppress(now time.Time, kind string) bool {
	k, ok := b.warnings.Get(kind)
	if !ok || now.Sub(k.last) >= Interval {
		return false
	}
	k.suppressed++
	b.warnings.Set(kind, k)
	return true
}

// AppendWarning appends a line at WARN to lines, unless one of the same kind was written less than Interval ago.
// The next line of the kind then says how many were left out.
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

// Tick appends the counts of lines left out whose interval is over.
func (b *Book) Tick(lines []string, now time.Time) []string {
	for t := range Topics {
		if w := &b.topics[t]; w.leftOut > 0 && !w.end().After(now) {
			lines = b.sumUp(lines, t)
		}
	}
	return lines
}

// NextTimeout returns when Tick wants to be called; the zero time for never.
func (b *Book) NextTimeout() (next time.Time) {
	for t := range b.topics {
		if w := &b.topics[t]; w.leftOut > 0 {
			next = timer.Soonest(next, w.end())
		}
	}
	return next
}

// sumUp appends how many lines of a topic were left out, if any were.
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
