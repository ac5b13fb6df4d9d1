package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/bench/adapter"
	"github.com/gwyh-go/gwyh/bench/measure"
)

// A run is disturbed if other processes used at least this many cores. Adapters that mostly wait for their own timers
// tolerate more.
const (
	disturbed      = 0.35
	disturbedTimer = 1.2
	timerBoundGap  = 100 * time.Millisecond // adapters with at least this gap are bound by timers
)

// schedule is how a plan is run. The zero value is not used; see the flags of suite.
type schedule struct {
	plan    []string
	rounds  int
	first   int
	out     string
	need    bool
	quiet   time.Duration
	retries int
	limit   time.Duration
}

// suite runs the lines of plans round by round, so that runs that are compared are close in time, and then prints the
// tables.
func suite(args []string) error {
	f := flag.NewFlagSet("suite", flag.ContinueOnError)
	var s schedule
	plans := f.String("plan", "", "files with one run a line, separated by commas")
	only := f.String("only", "", "only lines with this text")
	f.IntVar(&s.rounds, "rounds", 3, "how often each line runs")
	f.IntVar(&s.first, "first", 1, "number of the first round")
	f.StringVar(&s.out, "out", "results/suite.jsonl", "file that results are added to")
	f.BoolVar(&s.need, "need", false, "skip lines with an undisturbed result of that round in -out")
	f.DurationVar(&s.quiet, "quiet", 0, "how long to wait for other processes to go quiet")
	f.IntVar(&s.retries, "retries", 0, "how often a disturbed run is repeated at once")
	f.DurationVar(&s.limit, "limit", 3*time.Minute, "when a run is killed")
	if err := f.Parse(args); err != nil {
		return err
	}
	for name := range strings.SplitSeq(*plans, ",") {
		lines, err := readPlan(name, *only)
		if err != nil {
			return err
		}
		s.plan = append(s.plan, lines...)
	}
	if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil {
		return err
	}
	for round := s.first; round < s.first+s.rounds; round++ {
		for _, line := range s.plan {
			if err := s.line(round, line); err != nil {
				return err
			}
		}
	}
	return report(os.Stdout, []string{s.out})
}

// readPlan returns the lines of a plan that contain a text, without comments.
func readPlan(name, only string) ([]string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var lines []string
	for l := range strings.Lines(string(b)) {
		l, _, _ = strings.Cut(l, "#")
		if l = strings.Join(strings.Fields(l), " "); l != "" && strings.Contains(l, only) {
			lines = append(lines, l)
		}
	}
	return lines, nil
}

// line runs one line of the plan and adds its result.
func (s *schedule) line(round int, line string) error {
	if s.need && has(s.out, round, line) {
		return nil
	}
	for try := 0; ; try++ {
		waitQuiet(s.quiet)
		r := s.process(line)
		r.Round, r.Line = round, line
		fmt.Fprintf(os.Stderr, "round %d  %-55s others %.2f cores  %s\n", round, line, r.OthersCores, r.Error)
		if err := appendResult(s.out, r); err != nil {
			return err
		}
		if !r.Disturbed || try >= s.retries {
			return nil
		}
	}
}

// process runs one line in a separate process. A failed run gives a result too.
func (s *schedule) process(line string) (r Result) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	args := strings.Fields(line)
	var o options
	if err := o.flags().Parse(args); err != nil {
		return Result{Error: err.Error()}
	}
	failed := Result{Adapter: o.adapter, N: o.n, At: time.Now().UTC()}
	self, err := os.Executable()
	if err != nil {
		failed.Error = err.Error()
		return failed
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"run"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := errors.Join(cmd.Run(), json.Unmarshal(out.Bytes(), &r)); err != nil {
		failed.Error = err.Error()
		return failed
	}
	r.Disturbed = r.OthersCores > bearable(r.Adapter)
	return r
}

func bearable(name string) float64 {
	if spec, err := adapter.Get(name); err == nil && spec.Gap >= timerBoundGap {
		return disturbedTimer
	}
	return disturbed
}

// waitQuiet waits until other processes leave the machine idle for a second, up to limit.
func waitQuiet(limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		a := measure.MachineNow()
		time.Sleep(time.Second)
		if measure.OthersCores(a, measure.MachineNow(), 0, 1) < disturbed/2 {
			return
		}
	}
}

func appendResult(name string, r Result) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(f).Encode(&r), f.Close())
}

// has reports whether a file has an undisturbed result of a line from that round or a later one.
func has(name string, round int, line string) bool {
	results, _ := readResults(name)
	for _, r := range results {
		if r.Line == line && r.Round >= round && r.valid() {
			return true
		}
	}
	return false
}

func readResults(name string) ([]Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var results []Result
	for lines := bufio.NewReader(f); ; {
		l, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(l)) > 0 {
			var r Result
			if err := json.Unmarshal(l, &r); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			results = append(results, r)
		}
		if err == io.EOF {
			return results, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
