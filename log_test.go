package gwyh

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is a log for concurrent writers.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// count returns the number of lines that contain a text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// watched returns three nodes in memory, of which the first writes its log as the Config says.
func watched(t *testing.T, set func(*Config)) (nodes []*Memberlist) {
	network := new(MockNetwork)
	for _, name := range []string{"a", "b", "c"} {
		c := testConfig(name, nil)
		c.Transport = network.NewTransport(name)
		if name == "a" {
			c.LogOutput = nil
			set(c)
		}
		nodes = append(nodes, create(t, c))
	}
	join(t, nodes[1], nodes[0])
	join(t, nodes[2], nodes[0])
	time.Sleep(10 * time.Second)
	return nodes
}

// The level of a line must be before the library's name, because logutils.LevelFilter looks only there.
func TestLogOutputHasLinesOfAllLevels(t *testing.T) {
	for name, set := range map[string]func(c *Config, out io.Writer){
		"LogOutput": func(c *Config, out io.Writer) { c.LogOutput = out },
		"Logger":    func(c *Config, out io.Writer) { c.Logger = log.New(out, "", log.LstdFlags) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out lines
				nodes := watched(t, func(c *Config) { set(c, &out) })
				if err := nodes[1].Leave(time.Second); err != nil {
					t.Fatal(err)
				}
				_ = nodes[2].Shutdown()
				time.Sleep(30 * time.Second)
				for _, text := range []string{
					`[INFO] gwyh: member "b" (127.0.0.1:2) joined`, `[INFO] gwyh: member "c" (127.0.0.1:3) joined`,
					`[INFO] gwyh: member "b" (127.0.0.1:2) left`, `[INFO] gwyh: member "c" (127.0.0.1:3) failed`,
					`[DEBUG] gwyh: probing member "c" (127.0.0.1:3)`, `[DEBUG] gwyh: this node suspects that member "c" (127.0.0.1:3) has failed`,
				} {
					if n := out.count(text); n == 0 || n > 1 && strings.HasPrefix(text, "[INFO]") {
						t.Errorf("%d lines %s", n, text)
					}
				}
			})
		})
	}
}

// countingHandler counts its calls.
type countingHandler struct {
	slog.Handler
	mu    sync.Mutex
	asked map[slog.Level]int
	got   map[slog.Level]int
	level *slog.LevelVar
}

func (h *countingHandler) Enabled(_ context.Context, l slog.Level) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[l]++
	return l >= h.level.Level()
}

func (h *countingHandler) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got[r.Level]++
	return nil
}

func (h *countingHandler) debugs() (asked, got int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[slog.LevelDebug], h.got[slog.LevelDebug]
}

func TestDebugLinesFollowTheLevelOfTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &countingHandler{asked: map[slog.Level]int{}, got: map[slog.Level]int{}, level: new(slog.LevelVar)}
		nodes := watched(t, func(c *Config) { c.LogHandler = h })
		_ = nodes[1].Shutdown()
		time.Sleep(10 * time.Second)
		if asked, got := h.debugs(); got != 0 || asked > 25 {
			t.Errorf("a handler at INFO got %d lines at DEBUG and was asked %d times in 20 s", got, asked)
		}
		if h.got[slog.LevelInfo] != 3 {
			t.Errorf("it got %d lines at INFO, want two joins and a death", h.got[slog.LevelInfo])
		}
		h.level.Set(slog.LevelDebug)
		time.Sleep(3 * time.Second)
		_ = nodes[2].Shutdown()
		time.Sleep(15 * time.Second)
		_, at := h.debugs()
		if at == 0 {
			t.Error("a handler that came to want lines at DEBUG got none")
		}
		h.level.Set(slog.LevelInfo)
		time.Sleep(time.Minute)
		if _, got := h.debugs(); got != at {
			t.Error("a handler that does not want lines at DEBUG any more gets them")
		}
	})
}

func TestDebugLinesAreNotMadeForALogThatDiscardsThem(t *testing.T) {
	discarding := log.New(io.Discard, "", 0)
	for name, x := range map[string]struct {
		config Config
		want   bool
	}{
		"standard error":     {Config{}, true},
		"a buffer":           {Config{LogOutput: new(bytes.Buffer)}, true},
		"io.Discard":         {Config{LogOutput: io.Discard}, false},
		"a Logger":           {Config{Logger: log.Default()}, true},
		"a Logger to nobody": {Config{Logger: discarding}, false},
		"a handler at INFO":  {Config{LogHandler: slog.NewTextHandler(io.Discard, nil)}, false},
		"a handler at DEBUG": {Config{LogHandler: slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})}, true},
	} {
		if got := x.config.log().WantsDebug(); got != x.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
