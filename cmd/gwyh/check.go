package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
	"github.com/gwyh-go/gwyh/internal/simcheck"
)

// allChecks returns the scenarios and figures that "gwyh sim -check" runs.
func allChecks() []simcheck.Check { return append(simcheck.Scenarios(), simcheck.Figures()...) }

// checkNames returns the names of all checks for an error message.
func checkNames() string {
	var names []string
	for _, k := range allChecks() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

// runChecks runs the selected checks and prints one line about each. The exit code says whether all of them passed.
func runChecks(ctx context.Context, o simOptions, out, err io.Writer) int {
	checks := allChecks()
	if o.scenario != "" {
		i := slices.IndexFunc(checks, func(k simcheck.Check) bool { return k.Name == o.scenario })
		checks = checks[i : i+1]
	}
	s, progress, failed, begin := newScreen(out), newScreen(err), 0, time.Now()
	results := startChecks(ctx, checks, o)
	for i, k := range checks {
		progress.step()
		r, interrupted := awaitCheck(ctx, results[i], func() { progress.progress(k.Name, i, len(checks)) })
		progress.clear()
		if interrupted {
			fmt.Fprintln(err, "gwyh sim: interrupted")
			return exitFailed
		}
		if !reportCheck(s, &k, r, o) {
			failed++
		}
	}
	if failed > 0 {
		s.print(fmt.Sprintf("\n%d of %s not as they should be: see ✗ above. (%s)", failed, words.Many(len(checks), "check"), words.Short(time.Since(begin))))
		return exitFailed
	}
	s.print(fmt.Sprintf("\nEverything is as it should be. (%s)", words.Short(time.Since(begin))))
	return exitOK
}

// checked is the result of a check.
type checked struct {
	*simcheck.Trial
	took time.Duration
}

// startChecks runs checks and returns a channel for each result. Checks that measure memory run one after another,
// the others two at a time. It starts no check after ctx has ended.
func startChecks(ctx context.Context, checks []simcheck.Check, o simOptions) []chan checked {
	results := make([]chan checked, len(checks))
	for i := range results {
		results[i] = make(chan checked, 1)
	}
	run := func(i int) {
		if ctx.Err() == nil {
			begin := time.Now()
			t := checks[i].Run(uint64(o.seed), o.scale())
			results[i] <- checked{t, time.Since(begin)}
		}
	}
	go func() {
		var side []int
		for i := range checks {
			if checks[i].Alone() {
				run(i)
			} else {
				side = append(side, i)
			}
		}
		next := make(chan int)
		for range 2 {
			go func() {
				for i := range next {
					run(i)
				}
			}()
		}
		for _, i := range side {
			next <- i
		}
		close(next)
	}()
	return results
}

// awaitCheck waits for a result and calls show now and then while it waits.
func awaitCheck(ctx context.Context, result <-chan checked, show func()) (c checked, interrupted bool) {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return c, true
		case c := <-result:
			return c, false
		case <-t.C:
			show()
		}
	}
}

// reportCheck shows the result of a check.
func reportCheck(s *screen, k *simcheck.Check, t checked, o simOptions) bool {
	line := fmt.Sprintf("%-20s %s (%s in %s)", k.Name, k.Says, t.Virtual().Round(time.Second), words.Short(t.took))
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

// scale returns the size of the checks' clusters.
func (o *simOptions) scale() simcheck.Scale {
	switch {
	case o.full:
		return simcheck.Full
	case o.quick:
		return simcheck.Small
	}
	return simcheck.Usual
}
