// Package report writes the log and the trace of a node.
//
// It owns the words of every line, the bound of how many lines a topic has, the names that peers have introduced themselves
// by, and the events of the trace (internal/trace). Each of its functions says what happened, with values; none decides
// anything, and none returns anything that the node acts on. A line becomes an event of the node, in order with the others.
//
// A line at DEBUG costs nothing unless it is wanted, and an event of the trace nothing unless there is a trace: the check
// stands before a text is made. What a peer chose is quoted (%q).
//
// Read report.go first. membership.go, detection.go, contact.go and exchange.go have the lines, trace.go has the trace.
package report

import (
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config is what a Reporter is made of.
type Config struct {
	Members *members.Table // gives nodes their names
	Events  *event.Queue   // takes the lines
	Timers  *timer.Heap    // has the timer of counts of lines left out
	Trace   *trace.Tracer  // nil for no trace
	Debug   bool           // lines at DEBUG are wanted
}

// A Reporter writes the log and the trace of one node. Make it with New. Not for concurrent use.
type Reporter struct {
	cfg   Config
	book  logbook.Book
	names map[wire.NodeID]string // of peers, as their handshake or identity says
	timer timer.Timer            // of counts of lines left out
}

// New makes the Reporter of a node.
func New(cfg Config) *Reporter {
	r := &Reporter{cfg: cfg, book: logbook.New(), names: make(map[wire.NodeID]string)}
	r.timer.Fire = r.tick
	return r
}

// SetDebug says whether anybody wants lines at DEBUG.
func (r *Reporter) SetDebug(wanted bool) { r.cfg.Debug = wanted }

// Introduced says which name a peer has introduced itself by.
func (r *Reporter) Introduced(id wire.NodeID, name string) {
	if name != "" {
		r.names[id] = name
	}
}

// Forget forgets the name of a peer that is gone.
func (r *Reporter) Forget(id wire.NodeID) { delete(r.names, id) }

// Name returns the name of a node, as a member or as it introduced itself; empty if it is not known.
func (r *Reporter) Name(id wire.NodeID) string {
	if m := r.cfg.Members.Get(id); m != nil && m.Name != "" {
		return m.Name
	}
	return r.names[id]
}

// Who returns what lines call a node, which need not be a member: its quoted name, or its id if the name is not known.
func (r *Reporter) Who(id wire.NodeID) string {
	if id == r.cfg.Members.Self().ID {
		return "this node"
	}
	if name := r.Name(id); name != "" {
		return fmt.Sprintf("%q", name)
	}
	return id.String()
}

// plain returns the name of a node, or its id if the name is not known.
func (r *Reporter) plain(id wire.NodeID) string {
	if name := r.Name(id); name != "" {
		return name
	}
	return id.String()
}

// log writes a line about a topic, within the topic's bound.
func (r *Reporter) log(now time.Time, t logbook.Topic, format string, args ...any) {
	var lines [2]string // the line, and perhaps the count of those left out before it
	r.emit(r.book.Append(lines[:0], now, t, format, args...))
}

// warn writes a line at WARN unless one of the same kind was written a short time ago.
func (r *Reporter) warn(now time.Time, kind, format string, args ...any) {
	var lines [1]string
	r.emit(r.book.AppendWarning(lines[:0], now, kind, format, args...))
}

// tick writes how many lines were left out.
func (r *Reporter) tick(now time.Time) { r.emit(r.book.Tick(nil, now)) }

func (r *Reporter) emit(lines []string) {
	for _, text := range lines {
		r.cfg.Events.Add(event.Event{Kind: event.Log, Text: text})
	}
	if at := r.book.NextTimeout(); !at.IsZero() {
		r.cfg.Timers.Advance(&r.timer, at)
	}
}
