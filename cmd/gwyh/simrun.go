package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/cli"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/simreport"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
	"github.com/gwyh-go/gwyh/internal/sim"
)

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

// of returns a function that reports the progress of steps whose names begin with prefix. Each name is a step.
func (s *screen) of(prefix string) sim.Progress {
	last := ""
	return func(what string, done, total int) {
		if what != last {
			last = what
			s.step()
		}
		s.progress(prefix+what, done, total)
	}
}
