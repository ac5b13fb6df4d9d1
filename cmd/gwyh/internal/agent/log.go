package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// kept is the number of log lines kept for GET /v1/log.
const kept = 1000

// A Log is a slog.Handler that writes lines and keeps the last of them.
type Log struct {
	level slog.Level
	json  slog.Handler // writes JSON; nil if the log is text
	lines *lines
	attrs string // of this handler, in the form that follows the message
}

type lines struct {
	mu   sync.Mutex
	out  io.Writer // of the text; unused for JSON
	ring [kept]api.LogLine
	n    int // number of lines so far
}

// NewLog returns a log that writes lines at or above a level ("debug", "info", "warn" or "error") to w.
func NewLog(w io.Writer, level string, asJSON bool) *Log {
	l := &Log{lines: &lines{out: w}}
	_ = l.level.UnmarshalText([]byte(level)) // the configuration accepts only valid levels
	if asJSON {
		l.json = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l.level})
	}
	return l
}

// Enabled reports whether the log has lines of a level.
func (l *Log) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

// Handle writes a record and keeps its line. Text has one line for each record: time, level, message and attributes.
// The message is not put in quotes, because many messages have quotes themselves.
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	text := printable(r.Message) + l.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += describe(a)
		return true
	})
	if err := l.lines.add(api.LogLine{Time: r.Time, Level: r.Level.String(), Text: text}, l.json == nil); err != nil || l.json == nil {
		return err
	}
	return l.json.Handle(ctx, r)
}

// WithAttrs returns a log with additional attributes on each line.
func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *l
	for _, a := range attrs {
		more.attrs += describe(a)
	}
	if l.json != nil {
		more.json = l.json.WithAttrs(attrs)
	}
	return &more
}

// WithGroup returns a log whose lines have their attributes in a group. Text and the kept lines do not show the group.
func (l *Log) WithGroup(name string) slog.Handler {
	more := *l
	if l.json != nil {
		more.json = l.json.WithGroup(name)
	}
	return &more
}

func describe(a slog.Attr) string {
	text := a.Value.String()
	if strings.ContainsAny(text, " \"") || printable(text) != text {
		text = strconv.Quote(text)
	}
	return " " + a.Key + "=" + text
}

// printable returns s with an escape in place of each character that cannot be printed, such as the end of a line.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
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

// timeForm has milliseconds and the zone.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// add keeps a line, and writes it if write is set.
func (l *lines) add(line api.LogLine, write bool) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.n%kept] = line
	l.n++
	if write {
		_, err = fmt.Fprintf(l.out, "%s %-5s %s\n", line.Time.Format(timeForm), line.Level, line.Text)
	}
	return err
}
