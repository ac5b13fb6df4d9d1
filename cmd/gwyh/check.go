package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/sim"
)

// allChecks are the scenarios and figures that "gwyh sim -check" goes through.
func allChecks() []sim.Check { return append(sim.Scenarios(), sim.Figures()...) }

// checkNames lists them, for an error.
func checkNames() string {
	var names []string
	for _, k := range allChecks() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

// runChecks runs the checks that are asked for and tells of each on a line. The exit code says whether
// all are as they should be.
func runChecks(ctx context.Context, o simOptions, out, err io.Writer) int {
	checks := allChecks()
	if o.scenario != "" {
		i := slices.IndexFunc(checks, func(k sim.Check) bool { return k.Name == o.scenario })
		checks = checks[i : i+1]
	}
	s, failed, begin := newScreen(out), 0, time.Now()
	for i, k := range checks {
		s.step()
		s.progress(k.Name, i, len(checks))
		if !tellCheck(s, &k, o) {
			failed++
		}
		if ctx.Err() != nil {
			fmt.Fprintln(err, "gwyh sim: interrupted")
			return exitFailed
		}
	}
	if failed > 0 {
		s.print(fmt.Sprintf("\n%d of %s not as they should be: see ✗ above. (%s)", failed, many(len(checks), "check"), short(time.Since(begin))))
		return exitFailed
	}
	s.print(fmt.Sprintf("\nEverything is as it should be. (%s)", short(time.Since(begin))))
	return exitOK
}

// tellCheck runs one check and shows what came of it.
func tellCheck(s *screen, k *sim.Check, o simOptions) bool {
	begin := time.Now()
	t := k.Run(uint64(o.seed), o.scale())
	line := fmt.Sprintf("%-20s %s (%s in %s)", k.Name, k.Says, t.Virtual().Round(time.Second), short(time.Since(begin)))
	if len(t.Problems) == 0 {
		s.good("%s", line)
	} else {
		s.bad("%s", line)
	}
	for _, p := range t.Problems {
		s.text("%s", p)
	}
	for _, n := range t.Notes {
		s.text("(%s)", n)
	}
	if len(t.Problems) > 0 {
		s.text("again: gwyh sim -scenario %s -seed %d%s", k.Name, o.seed, []string{" -quick", "", " -full"}[o.scale()])
	}
	return len(t.Problems) == 0
}

// scale is how large the clusters of checks are.
func (o *simOptions) scale() sim.Scale {
	switch {
	case o.full:
		return sim.Full
	case o.quick:
		return sim.Small
	}
	return sim.Usual
}
