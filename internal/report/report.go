// Package report writes the log and the trace of a node.
//
// It owns the text of every line, the limit of lines per topic, the names by which peers have introduced themselves, and the
// events of the trace (internal/trace). Each of its functions writes what happened, with values. None makes a decision, and
// none returns anything that the node acts on. A line becomes an event of the node, in order with the other events.
//
// A line at DEBUG costs nothing unless it is wanted, and a trace event costs nothing unless there is a trace, because the
// check precedes the formatting. Text that a peer chose is quoted (%q).
//
// Read report.go first. membership.go, detection.go, contact.go and exchange.go contain the lines, and trace.go the trace.
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

// Config is the configuration of a Reporter.
type Config struct {
	Members *members.Table // receives the lines
	Events  *event.Queue   // takes the lines
	Timers  *timer.Heap    // runs the timer for counts of omitted lines
	Trace   *trace.Tracer  // nil for no trace
	Debug   bool           // lines at DEBUG are wanted
}

// A Reporter writes the log and the trace of one node. Make it with New. It is not safe for concurrent use.
type Reporter struct {
	cfg   Config
	book  logbook.Book
	names map[wire.NodeID]string // of peers, from their handshake or identity
	timer timer.Timer            // for counts of omitted lines
}

// New returns the Reporter of a node.
func New(cfg Config) *Reporter {
	r := &Reporter{cfg: cfg, book: logbook.New(), names: make(map[wire.NodeID]string)}
	r.timer.Fire = r.tick
	return r
}

// SetDebug sets whether lines at DEBUG are wanted.
func (r *Reporter) SetDebug(wanted bool) { r.cfg.Debug = wanted }

// Introduced records the name by which a peer has introduced itself.
func (r *Reporter) Introduced(id wire.NodeID, name string) {
	if name != "" {
		r.names[id] = name
	}
}

// Forget removes the name of a peer that is gone.
func (r *Reporter) Forget(id wire.NodeID) { delete(r.names, id) }

// Name returns the name of a node as a member, or otherwise the name it introduced itself by. It is empty if unknown.
func (r *Reporter) Name(id wire.NodeID) string {
	if m := r.cfg.Members.Get(id); m != nil && m.Name != "" {
		return m.Name
	}
	return r.names[id]
}

// Who returns how lines refer to a node, which need not be a member: its quoted name, or its id if the name is unknown.
func (r *Reporter) Who(id wire.NodeID) string {
	if id == r.cfg.Members.Self().ID {
		return "this node"
	}
	if name := r.Name(id); name != "" {
		return fmt.Sprintf("%q", name)
	}
	return id.String()
}

// plain returns the name of a node, or its id if the name is unknown.
func (r *Reporter) plain(id wire.NodeID) string {
	if name := r.Name(id); name != "" {
		return name
	}
	return id.String()
}

// log writes a line about a topic, within the topic's limit.
func (r *Reporter) log(now time.Time, t logbook.Topic, format string, args ...any) {
	var lines [2]string // the line, possibly after the count of omitted lines
	r.emit(r.book.Append(lines[:0], now, t, format, args...))
}

// warn writes a line at WARN unless one of the same kind was written recently.
func (r *Reporter) warn(now time.Time, kind, format string, args ...any) {
	var lines [1]string
	r.emit(r.book.AppendWarning(lines[:0], now, kind, format, args...))
}

// tick writes how many lines were omitted.
func (r *Reporter) tick(now time.Time) { r.emit(r.book.Tick(nil, now)) }

func (r *Reporter) emit(lines []string) {
	for _, text := range lines {
		r.cfg.Events.Add(event.Event{Kind: event.Log, Text: text})
	}
	if at := r.book.NextTimeout(); !at.IsZero() {
		r.cfg.Timers.Advance(&r.timer, at)
	}
}
