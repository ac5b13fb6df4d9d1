package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/cli"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/simreport"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
	"github.com/gwyh-go/gwyh/internal/sim"
)

// runSim runs the command "gwyh sim".
func runSim(ctx context.Context, args []string, out, err io.Writer) int {
	o, problem := parseSimOptions(args)
	if problem != nil {
		return badUsage("sim", simUsage, problem, out, err)
	}
	if o.check || o.scenario != "" {
		return runChecks(ctx, o, out, err)
	}
	return simulate(ctx, o, out, err)
}

// simulate runs one cluster in virtual time and shows the results. Progress goes to err.
func simulate(ctx context.Context, o simOptions, out, err io.Writer) int {
	s, progress := newScreen(out), newScreen(err)
	if !o.json {
		s.print(o.title())
	}
	defer collectSeldom()()
	begin := time.Now()
	r, problem := o.report(ctx, progress)
	progress.clear()
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(err, "gwyh sim: interrupted")
		return exitFailed
	case problem != nil:
		fmt.Fprintf(err, "gwyh sim: %v\n", problem)
		return exitFailed
	case o.json:
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(r)
		return exitOK
	}
	simStory{s, r}.printAll()
	if o.html != "" {
		s.print("\nplots are in " + o.html)
	}
	s.print(fmt.Sprintf("\n(%s)", words.Short(time.Since(begin))))
	return exitOK
}

// collectSeldom lets the heap grow to three times the live data before a collection, unless GOGC is set: a simulation
// makes little garbage, and a collection scans gigabytes. The returned function undoes this.
func collectSeldom() func() {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(200)
	return func() { debug.SetGCPercent(before) }
}

func (o *simOptions) parameters(p *sim.Plan) simreport.Parameters {
	s := simreport.Parameters{Nodes: o.nodes, Zones: o.zones, Map: o.mapFile, Preset: o.preset.name, Strategy: o.strategy.name, Formed: o.formed,
		Subscriptions: p.Core.Subscriptions, Latency: o.latency.text, Jitter: float64(o.jitter), Loss: float64(o.loss), MTU: o.path(), Probed: o.mtu > 0,
		Idle: sim.Millis(o.idle), Rate: float64(o.rate), Duration: sim.Millis(o.duration), Size: o.size, Crashes: o.crash, Seed: o.seed, Sizes: o.sizes}
	if p.Map != nil {
		s.Zones, s.Latency = len(p.Map.Zones), ""
	}
	return s
}

// report runs the simulation and those of the further sizes, and writes the page if one is wanted.
func (o *simOptions) report(ctx context.Context, progress *screen) (*simreport.Report, error) {
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	var page *os.File
	if o.html != "" { // now, so that a wrong name is known before a long run
		if page, err = os.Create(o.html); err != nil {
			return nil, err
		}
		defer page.Close()
	}
	r := &simreport.Report{Format: simreport.Format, Program: cli.ThisBuild(), Parameters: o.parameters(p)}
	if r.Report, err = o.run(ctx, p, progress, ""); err != nil {
		return nil, err
	}
	r.Sizes = []sim.Size{r.Size()}
	for _, n := range o.sizes {
		if n == o.nodes {
			continue
		}
		other := *p
		other.Nodes, other.Trace = n, nil
		further, err := other.Run(ctx, progress.of(fmt.Sprintf("%s: ", words.Many(n, "node"))))
		if err != nil {
			return nil, fmt.Errorf("with %s: %w", words.Many(n, "node"), err)
		}
		r.Sizes = append(r.Sizes, further.Size())
	}
	slices.SortFunc(r.Sizes, func(a, b sim.Size) int { return a.Nodes - b.Nodes })
	if page != nil {
		return r, errors.Join(r.WritePage(page), page.Close())
	}
	return r, nil
}

// run runs one plan and writes its trace if one is wanted.
func (o *simOptions) run(ctx context.Context, p *sim.Plan, progress *screen, prefix string) (*sim.Report, error) {
	closeTrace, err := o.openTrace(p)
	if err != nil {
		return nil, err
	}
	r, err := p.Run(ctx, progress.of(prefix))
	if failed := closeTrace(); err == nil {
		err = failed
	}
	return r, err
}

// openTrace makes a plan write its trace to the file of the options, if there is one. closeTrace closes the file.
func (o *simOptions) openTrace(p *sim.Plan) (closeTrace func() error, err error) {
	if o.trace == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(o.trace)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	p.Trace = w
	return func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}
