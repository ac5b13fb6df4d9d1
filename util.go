package gwyh

import (
	"context"
	"log"
	"log/slog"
	"net"
	"os"
	"strings"
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
type logger struct{ out *log.Logger }

// newLogger writes where the Config says, which names at most one place: validate sees to that.
func newLogger(c *Config) logger {
	switch {
	case c.Logger != nil:
		return logger{c.Logger}
	case c.LogOutput != nil:
		return logger{log.New(c.LogOutput, "", log.LstdFlags)}
	case c.LogHandler != nil:
		return logger{log.New(records{c.LogHandler}, "", 0)}
	}
	return logger{log.New(os.Stderr, "", log.LstdFlags)}
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
