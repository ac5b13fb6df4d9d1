package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/agent"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/config"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/notify"
)

const agentUsage = `gwyh agent runs one node as a program, for hosts without a program of their own
that uses the library. It runs commands for events, and serves an HTTP API and a
status page. It ends by leaving the cluster, on SIGTERM, ^C or "gwyh leave"; a
second signal ends it at once. SIGHUP changes nothing: the configuration is read
only at the start.

Usage:

	gwyh agent [flags]

Every flag can also be set in a file, under the same name: see docs/AGENT.md.

Files:

  -config FILE        file in TOML or YAML, or a directory of them; given
                      several times, a later file adds to lists and replaces
                      the rest. The environment (GWYH_KEY, GWYH_TOKEN) and
                      other flags come after all files
`

var agentCommand = &Command{
	Name: "agent", Summary: "run a node with event handlers, an HTTP API and a status page",
	direct: func(ctx context.Context, args []string, out, err io.Writer) int {
		c, problem := config.Parse(args, os.Getenv)
		switch {
		case errors.Is(problem, flag.ErrHelp):
			_, _ = io.WriteString(out, agentUsage+config.Usage())
			return exitOK
		case problem != nil:
			_, _ = fmt.Fprintf(err, "gwyh agent: %v\n", problem)
			return exitUsage
		}
		if e := runAgent(ctx, c, out, err); e != nil {
			_, _ = fmt.Fprintf(err, "gwyh agent: %v\n", e)
			return exitFailed
		}
		return exitOK
	},
}

// runAgent runs an agent, or a cluster of them, until it is to leave.
func runAgent(ctx context.Context, c *config.Config, out, err io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)      // a second signal ends the process immediately
	hangup := make(chan os.Signal, 1) // by default SIGHUP would end the process without a leave
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	log := agent.NewLog(err, c.LogLevel, c.LogJSON)
	lines := slog.New(log)
	build := ThisBuild()
	var listener net.Listener
	if c.HTTP != "" {
		var e error
		if listener, e = agent.Listen(c.HTTP); e != nil {
			return e
		}
		defer func() { _ = listener.Close() }()
	}
	var others []*agent.Agent
	if c.Demo > 0 {
		var e error
		if c, others, e = agent.Demo(c, log, build.Version); e != nil {
			return e
		}
	}
	a, e := agent.Start(c, log, build.Version)
	if e != nil {
		return errors.Join(e, agent.CloseAll(others))
	}
	var failed <-chan error
	if listener != nil {
		server := a.Serve(listener, c.Token)
		failed = server.Failed()
		defer func() { _ = server.Close() }()
		lines.Info("serving", "http", server.Addr.String(), "token", c.Token != "")
		if c.Demo > 0 {
			_, _ = fmt.Fprintf(out, "%d nodes run in this process. Look at http://%s/ in a browser,\nor type `gwyh members -http %s` in another terminal. ^C ends them.\n", c.Demo, server.Addr, server.Addr)
		}
	}
	if e := notify.Send(notify.Ready, notify.Status("node %q at %s", a.Memberlist().LocalNode().Name, a.Memberlist().LocalNode().Address())); e != nil {
		lines.Warn("systemd is not told that the agent is ready", "error", e)
	}
	go notify.Watchdog(ctx, func() bool { return a.Memberlist().Stats().Members > 0 })
	var ended error
	for running := true; running; {
		select {
		case <-hangup:
			lines.Info("SIGHUP changes nothing: the configuration is read only at the start, so restart the agent after a change")
			continue
		case <-ctx.Done():
		case <-a.Leaving():
		case ended = <-failed:
		}
		running = false
	}
	lines.Info("leaving")
	_ = notify.Send(notify.Stopping)
	return errors.Join(ended, agent.CloseAll(others), a.Close(true))
}
