package sim

import (
	"testing"
	"time"
)

// TestScenariosEndAsTheyShould runs the chaos of "gwyh sim -check" in small clusters.
func TestScenariosEndAsTheyShould(t *testing.T) {
	for _, k := range Scenarios() {
		t.Run(k.Name, func(t *testing.T) {
			const seed = 1
			r := k.Run(seed, Small)
			t.Logf("%q", r.Notes)
			for _, p := range r.Problems {
				t.Error(p)
			}
			if len(r.Problems) > 0 {
				t.Logf("again: go run ./cmd/gwyh sim -scenario %s -seed %d -quick", k.Name, seed)
			}
		})
	}
}

func TestTrialFindsWhatIsLeftOver(t *testing.T) {
	r := &Trial{Seed: 1, Quick: true}
	r.form(8)
	r.settle()
	// One that knows of a node that nobody else knows of, and handshakes that do not end.
	n := r.Nodes[2]
	extra := r.Add()
	r.Join(extra, n)
	r.Net.RunFor(time.Second)
	r.Crash(extra)
	for range 3 {
		r.Join(n, extra)
	}
	r.compare()
	if len(r.Problems) == 0 {
		t.Error("nothing found")
	}
}
