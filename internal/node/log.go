package node

import (
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
)

// A Log writes lines in the format that programs around memberlist parse: the level in brackets, then the name of the
// library. It is safe for concurrent use.
type Log struct {
	out     *log.Logger
	handler slog.Handler // the handler behind out; nil if there is none
	fixed   bool         // the result of WantsDebug never changes
}

// NewLog returns a Log to the first argument that is not nil, or to standard error if all are nil.
func NewLog(logger *log.Logger, output io.Writer, handler slog.Handler) Log {
	switch {
	case logger != nil:
		return Log{out: logger}
	case output != nil:
		return Log{out: log.New(output, "", log.LstdFlags), fixed: true}
	case handler != nil:
		return Log{out: log.New(records{handler}, "", 0), handler: handler}
	}
	return Log{out: log.New(os.Stderr, "", log.LstdFlags), fixed: true}
}

// Logger returns the logger that l writes to.
func (l Log) Logger() *log.Logger { return l.out }

// Warnf writes a line at level WARN.
func (l Log) Warnf(format string, args ...any) { l.out.Printf("[WARN] gwyh: "+format, args...) }

// Errorf writes a line at level ERR.
func (l Log) Errorf(format string, args ...any) { l.out.Printf("[ERR] gwyh: "+format, args...) }

// Line writes a line that already begins with its level.
func (l Log) Line(text string) { l.out.Print(text) }

// WantsDebug reports whether DEBUG lines have a destination: the handler is enabled for them, or the writer is not
// io.Discard. It may call the application, so it may block.
func (l Log) WantsDebug() bool {
	if l.handler != nil {
		return l.handler.Enabled(context.Background(), slog.LevelDebug)
	}
	return l.out.Writer() != io.Discard
}

// records is an io.Writer that passes each log line to a slog.Handler. Every line passes through log.Logger, so that
// both forms have the same text.
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

// A debugLevel tells the core whether the log wants DEBUG lines, which may change at any time. The dispatcher calls
// the log, because the loop must not call the application.
type debugLevel struct {
	wanted atomic.Bool // the last result of WantsDebug
	asking atomic.Bool
}

// follow passes the last result to the core and requests a new one. call reports whether it will run its argument.
func (d *debugLevel) follow(core *gossip.Core, l Log, call func(func()) bool) {
	core.SetDebug(d.wanted.Load())
	if l.fixed || !d.asking.CompareAndSwap(false, true) {
		return
	}
	taken := call(func() {
		d.wanted.Store(l.WantsDebug())
		d.asking.Store(false)
	})
	if !taken {
		d.asking.Store(false)
	}
}
