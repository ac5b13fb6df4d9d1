// Package handler runs commands for the events of an agent, as serf's event handlers do.
package handler

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// A Handler is a command and the events that trigger it.
type Handler struct {
	Events  []string // of api.EventTypes, "message:NAME", or "*" for all
	Command string   // for the shell
}

// Parse parses EVENTS=COMMAND. Commas separate the events.
func Parse(text string) (Handler, error) {
	events, command, ok := strings.Cut(text, "=")
	if !ok || strings.TrimSpace(command) == "" {
		return Handler{}, fmt.Errorf("%q, want EVENTS=COMMAND", text)
	}
	h := Handler{Command: command}
	for e := range strings.SplitSeq(events, ",") {
		e = strings.TrimSpace(e)
		name, isMessage := strings.CutPrefix(e, "message:")
		if e != "*" && !slices.Contains(api.EventTypes, e) && (!isMessage || name == "") {
			return Handler{}, fmt.Errorf("%q is no event, want %s, message:NAME or *", e, strings.Join(api.EventTypes, ", "))
		}
		h.Events = append(h.Events, e)
	}
	return h, nil
}

// wants reports whether an event triggers the command.
func (h *Handler) wants(e *api.Event) bool {
	return slices.Contains(h.Events, "*") || slices.Contains(h.Events, e.Type) ||
		e.Message != nil && e.Message.Name != "" && slices.Contains(h.Events, "message:"+e.Message.Name)
}

// queued is the number of events that may be queued for one handler. Further events are dropped and counted.
const queued = 256

// outputMax bounds the bytes of a command's output that are logged.
const outputMax = 4 << 10

// killed is how long Wait waits for the output after the end of a command, in case a child process keeps it open.
const killed = time.Second

// A Runner runs the commands. Commands of one handler run one after another, in the order of the events. Different
// handlers run in parallel.
type Runner struct {
	self    func() api.Member
	timeout time.Duration
	log     *slog.Logger
	queues  []chan api.Event
	all     []Handler
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup

	run, failed, dropped atomic.Uint64
}

// Start returns a running Runner. self returns the description of the agent for the commands.
func Start(handlers []Handler, timeout time.Duration, self func() api.Member, log *slog.Logger) *Runner {
	r := &Runner{self: self, timeout: timeout, log: log, all: slices.Clone(handlers)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for i := range r.all {
		q := make(chan api.Event, queued)
		r.queues = append(r.queues, q)
		r.done.Go(func() { r.work(&r.all[i], q) })
	}
	return r
}

// Handle queues the commands of an event and does not wait for them. It must not be called after Stop.
func (r *Runner) Handle(e api.Event) {
	for i := range r.all {
		if !r.all[i].wants(&e) {
			continue
		}
		select {
		case r.queues[i] <- e:
		default:
			if r.dropped.Add(1)%queued == 1 {
				r.log.Warn("an event handler is too slow, so events for it are dropped", "command", r.all[i].Command)
			}
		}
	}
}

// Stop ends the Runner. Commands for queued events still run, for up to wait in total. Then the running command is
// killed, and the rest is dropped.
func (r *Runner) Stop(wait time.Duration) {
	for _, q := range r.queues {
		close(q)
	}
	timer := time.AfterFunc(wait, r.cancel)
	r.done.Wait()
	timer.Stop()
	r.cancel()
}

// Counts returns the counters.
func (r *Runner) Counts() api.Handlers {
	return api.Handlers{Run: r.run.Load(), Failed: r.failed.Load(), Dropped: r.dropped.Load()}
}

func (r *Runner) work(h *Handler, events <-chan api.Event) {
	for e := range events {
		if r.ctx.Err() != nil {
			r.dropped.Add(1)
			continue
		}
		r.run.Add(1)
		if err := r.execute(h, &e); err != nil {
			r.failed.Add(1)
			r.log.Warn("event handler failed", "command", h.Command, "event", e.Type, "error", err)
		}
	}
}

// execute runs the command for one event. The environment describes the event, and standard input carries its data.
func (r *Runner) execute(h *Handler, e *api.Event) error {
	ctx, cancel := context.WithTimeout(r.ctx, r.timeout)
	defer cancel()
	shell, option := "/bin/sh", "-c"
	if runtime.GOOS == "windows" {
		shell, option = "cmd", "/C"
	}
	c := exec.CommandContext(ctx, shell, option, h.Command)
	c.Env = append(os.Environ(), r.environment(e)...)
	c.Stdin = bytes.NewReader(Input(e))
	out := &limited{}
	c.Stdout, c.Stderr, c.WaitDelay = out, out, killed
	withChildren(c)
	err := c.Run()
	if ctx.Err() != nil && r.ctx.Err() == nil {
		err = fmt.Errorf("not done within %v: %w", r.timeout, err)
	}
	if text := strings.TrimSpace(out.kept.String()); text != "" {
		r.log.Info("event handler", "command", h.Command, "event", e.Type, "output", text)
	}
	return err
}

// environment returns the variables that describe an event. Secrets in the agent's own environment are emptied.
func (r *Runner) environment(e *api.Event) []string {
	self := r.self()
	env := []string{
		"GWYH_KEY=", "GWYH_TOKEN=",
		"GWYH_EVENT=" + e.Type, "GWYH_EVENT_ID=" + fmt.Sprint(e.ID), "GWYH_EVENT_TIME=" + e.Time.UTC().Format(time.RFC3339Nano),
		"GWYH_SELF_NAME=" + self.Name, "GWYH_SELF_ADDR=" + self.Addr, "GWYH_SELF_ZONE=" + self.Zone,
	}
	if m := e.Message; m != nil {
		env = append(env, "GWYH_MESSAGE_NAME="+plain(m.Name), "GWYH_MESSAGE_ORIGIN="+plain(m.Origin))
	}
	return env
}

// plain removes the bytes that a variable cannot hold from a text of another node.
func plain(text string) string { return strings.ReplaceAll(text, "\x00", "") }

// Input returns the standard input of a command: the payload of a message, or one line of a member's name, address,
// zone, state and metadata, separated by tabs. Tabs, line ends and backslashes in them become \t, \n, \r and \\.
func Input(e *api.Event) []byte {
	if e.Message != nil {
		return e.Message.Payload
	}
	if e.Member == nil {
		return nil
	}
	escape := strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r")
	m := e.Member
	parts := []string{m.Name, m.Addr, m.Zone, m.State, string(m.Meta)}
	for i := range parts {
		parts[i] = escape.Replace(parts[i])
	}
	return []byte(strings.Join(parts, "\t") + "\n")
}

// limited keeps the first outputMax bytes that are written to it. One goroutine writes for each command, because both
// outputs are the same writer. The buffer is not embedded, because its ReadFrom would bypass the limit.
type limited struct{ kept bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	if room := outputMax - l.kept.Len(); room > 0 {
		l.kept.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
