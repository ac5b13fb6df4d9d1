package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// kept is the number of log lines kept for GET /v1/log.
const kept = 1000

// A Log writes to a slog.Handler and keeps its last lines.
type Log struct {
	slog.Handler
	lines *lines
	attrs string // of this handler, in the form that follows the message
}

type lines struct {
	mu   sync.Mutex
	ring [kept]api.LogLine
	n    int // number of lines so far
}

// NewLog returns a log that writes lines at or above a level ("debug", "info", "warn" or "error") to w.
func NewLog(w io.Writer, level string, asJSON bool) *Log {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // the configuration accepts only valid levels
	o := &slog.HandlerOptions{Level: l}
	if asJSON {
		return &Log{Handler: slog.NewJSONHandler(w, o), lines: &lines{}}
	}
	return &Log{Handler: slog.NewTextHandler(w, o), lines: &lines{}}
}

// Handle writes a record and keeps its line.
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	text := r.Message + l.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += describe(a)
		return true
	})
	l.lines.add(api.LogLine{Time: r.Time, Level: r.Level.String(), Text: text})
	return l.Handler.Handle(ctx, r)
}

// WithAttrs returns a log with additional attributes on each line.
func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := l.attrs
	for _, a := range attrs {
		more += describe(a)
	}
	return &Log{Handler: l.Handler.WithAttrs(attrs), lines: l.lines, attrs: more}
}

// WithGroup returns a log whose lines have their attributes in a group. The kept lines do not show the group.
func (l *Log) WithGroup(name string) slog.Handler {
	return &Log{Handler: l.Handler.WithGroup(name), lines: l.lines, attrs: l.attrs}
}

func describe(a slog.Attr) string {
	text := a.Value.String()
	if strings.ContainsAny(text, " \t\n\"") {
		text = fmt.Sprintf("%q", text)
	}
	return " " + a.Key + "=" + text
}

// Lines returns the last lines, the oldest first.
func (l *Log) Lines() []api.LogLine {
	l.lines.mu.Lock()
	defer l.lines.mu.Unlock()
	var all []api.LogLine
	for i := max(l.lines.n-kept, 0); i < l.lines.n; i++ {
		all = append(all, l.lines.ring[i%kept])
	}
	return all
}

func (l *lines) add(line api.LogLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.n%kept] = line
	l.n++
}
