package gwyh

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// LogAddress is how log lines name the peer at addr.
func LogAddress(addr net.Addr) string {
	if addr == nil {
		return LogStringAddress("")
	}
	return LogStringAddress(addr.String())
}

// LogStringAddress is how log lines name the peer at addr.
func LogStringAddress(addr string) string {
	if addr == "" {
		return "from=<unknown address>"
	}
	return "from=" + addr
}

// LogConn is how log lines name the peer of conn.
func LogConn(conn net.Conn) string {
	if conn == nil {
		return LogAddress(nil)
	}
	return LogAddress(conn.RemoteAddr())
}

// A logger writes lines as programs around memberlist parse them: level in brackets, then the
// library's name. Safe for concurrent use.
type logger struct {
	out     *log.Logger
	handler slog.Handler // that out writes to; nil for none
	settled bool         // whether lines at DEBUG are wanted never changes
}

// newLogger writes where the Config says, which names at most one place: validate sees to that.
func newLogger(c *Config) logger {
	switch {
	case c.Logger != nil:
		return logger{out: c.Logger}
	case c.LogOutput != nil:
		return logger{out: log.New(c.LogOutput, "", log.LstdFlags), settled: true}
	case c.LogHandler != nil:
		return logger{out: log.New(records{c.LogHandler}, "", 0), handler: c.LogHandler}
	}
	return logger{out: log.New(os.Stderr, "", log.LstdFlags), settled: true}
}

// wantsDebug reports whether anybody sees lines at DEBUG: a handler that is enabled for them, or any writer that does
// not discard all. It may call the application, and may block.
func (l logger) wantsDebug() bool {
	if l.handler != nil {
		return l.handler.Enabled(context.Background(), slog.LevelDebug)
	}
	return l.out.Writer() != io.Discard
}

// debugging is whether lines at DEBUG are wanted, as the log said last.
type debugging struct {
	wanted atomic.Bool
	asking atomic.Bool
}

// followDebug makes the core follow the log, whose level may change at any time. The dispatcher asks the log: the
// loop calls nothing of the application's.
func (m *Memberlist) followDebug() {
	d := &m.debug
	m.core.SetDebug(d.wanted.Load())
	if m.log.settled || !d.asking.CompareAndSwap(false, true) {
		return
	}
	taken := m.dispatch.Call(func() {
		d.wanted.Store(m.log.wantsDebug())
		d.asking.Store(false)
	})
	if !taken {
		d.asking.Store(false)
	}
}

func (l logger) debugf(format string, args ...any) { l.out.Printf("[DEBUG] gwyh: "+format, args...) }
func (l logger) infof(format string, args ...any)  { l.out.Printf("[INFO] gwyh: "+format, args...) }
func (l logger) warnf(format string, args ...any)  { l.out.Printf("[WARN] gwyh: "+format, args...) }
func (l logger) errorf(format string, args ...any) { l.out.Printf("[ERR] gwyh: "+format, args...) }

// line writes a line that carries its level already.
func (l logger) line(text string) { l.out.Print(text) }

// records is a writer that hands each log line to a slog.Handler. Every line comes by log.Logger, so
// that the two forms cannot tell different things.
type records struct{ handler slog.Handler }

func (r records) Write(line []byte) (int, error) {
	text := strings.TrimSuffix(string(line), "\n")
	level := slog.LevelInfo
	for prefix, l := range map[string]slog.Level{"[DEBUG] ": slog.LevelDebug, "[INFO] ": slog.LevelInfo,
		"[WARN] ": slog.LevelWarn, "[ERR] ": slog.LevelError} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			level, text = l, strings.TrimPrefix(rest, "gwyh: ")
			break
		}
	}
	ctx := context.Background()
	if !r.handler.Enabled(ctx, level) {
		return len(line), nil
	}
	return len(line), r.handler.Handle(ctx, slog.NewRecord(time.Now(), level, text, 0))
}
