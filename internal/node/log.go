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

// A Log writes lines as programs around memberlist parse them: the level in brackets, then the name of the library. It is
// safe for concurrent use.
type Log struct {
	out     *log.Logger
	handler slog.Handler // that out writes to; nil for none
	fixed   bool         // the answer of WantsDebug never changes
}

// NewLog writes to the first of the three that is not nil, or else to standard error.
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

// WantsDebug reports whether lines at DEBUG go anywhere: the handler is enabled for them, or the writer does not
// discard everything. It may call the application, so it may block.
func (l Log) WantsDebug() bool {
	if l.handler != nil {
		return l.handler.Enabled(context.Background(), slog.LevelDebug)
	}
	return l.out.Writer() != io.Discard
}

// records is a writer that hands each log line to a slog.Handler. Every line passes through log.Logger, so that the two
// forms cannot differ.
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

// debugLevel makes a core follow whether the log wants lines at DEBUG, which may change at any time. The dispatcher asks
// the log, because the loop does not call the application.
type debugLevel struct {
	wanted atomic.Bool // the last answer of the log
	asking atomic.Bool
}

// follow tells the core the last answer, and asks again by call, which reports whether it will run its argument.
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
