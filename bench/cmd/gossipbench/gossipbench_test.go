package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/bench/adapter"
)

func TestEveryLineOfEveryPlanIsARun(t *testing.T) {
	plans, _ := filepath.Glob("../../plans/*.txt")
	if len(plans) == 0 {
		t.Fatal("no plans found")
	}
	for _, name := range plans {
		lines, err := readPlan(name, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			var o options
			if err := o.flags().Parse(strings.Fields(l)); err != nil {
				t.Errorf("%s: %s: %v", name, l, err)
			}
			if _, err := adapter.Get(o.adapter); err != nil {
				t.Errorf("%s: %s: %v", name, l, err)
			}
		}
	}
}

// latencyRun returns a result whose line is the name of its adapter.
func latencyRun(name string, round int, ms float64) Result {
	return Result{Adapter: name, N: 10, Line: name, Round: round, Latency: &Latency{LastP50: ms, LastP99: ms, CPU: ms}}
}

func writeResults(t *testing.T, results ...Result) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "r.jsonl")
	for _, r := range results {
		if err := appendResult(name, r); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

func TestRatiosAreTakenWithinARoundAndThenTheirMedian(t *testing.T) {
	name := writeResults(t,
		latencyRun("raw", 1, 1), latencyRun("ours", 1, 2), // 2
		latencyRun("raw", 2, 10), latencyRun("ours", 2, 40), // 4
		latencyRun("raw", 3, 2), latencyRun("ours", 3, 6)) // 3
	var b strings.Builder
	if err := report(&b, []string{name}); err != nil {
		t.Fatal(err)
	}
	if want := "| ours | 10 | 0 | 6.00 (3.00 x) |"; !strings.Contains(b.String(), want) {
		t.Fatalf("no %q in\n%s", want, b.String())
	}
}

func TestUndisturbedRunReplacesADisturbedOneOfItsRound(t *testing.T) {
	noisy := latencyRun("ours", 1, 9)
	noisy.Disturbed = true
	kept := pick([]Result{noisy, latencyRun("ours", 1, 2), noisy, latencyRun("ours", 2, 3)})
	if len(kept) != 2 || kept[0].Disturbed || kept[1].Round != 2 {
		t.Fatalf("kept %+v", kept)
	}
}

func TestNeedSkipsWhatIsThereUndisturbed(t *testing.T) {
	noisy := latencyRun("serf", 2, 9)
	noisy.Disturbed = true
	name := writeResults(t, latencyRun("ours", 2, 2), noisy)
	for line, want := range map[string]bool{"ours": true, "serf": false, "raw": false} {
		if got := has(name, 1, line); got != want {
			t.Errorf("%s: there %v, want %v", line, got, want)
		}
	}
	if has(name, 3, "ours") {
		t.Error("an earlier round counts for a later one")
	}
	if has(filepath.Join(t.TempDir(), "none"), 1, "ours") {
		t.Error("a file that is not there has results")
	}
}

func TestPlanIsReadWithoutComments(t *testing.T) {
	name := filepath.Join(t.TempDir(), "p.txt")
	if err := os.WriteFile(name, []byte("# head\n-adapter  raw -n 5 # tail\n\n-adapter ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := readPlan(name, "")
	if err != nil || len(lines) != 2 || lines[0] != "-adapter raw -n 5" {
		t.Fatalf("read %q, %v", lines, err)
	}
	if lines, _ = readPlan(name, "ours"); len(lines) != 1 {
		t.Fatalf("with ours: %q", lines)
	}
}
