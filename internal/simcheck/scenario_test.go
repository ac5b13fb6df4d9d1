package simcheck

import (
	"slices"
	"testing"
	"time"
)

// TestScenariosEndAsTheyShould runs the chaos of "gwyh sim -check" in small clusters. The scenarios measure the heap, so they
// run one after another.
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

// TestFiguresHoldInSmallClusters runs the figures of "gwyh sim -check" with hard seeds. With 20, loss meets slow
// links and the comparison meets fast ones, unless all links idle between messages. With 8, Uniform has few links
// between zones.
func TestFiguresHoldInSmallClusters(t *testing.T) {
	hard := map[string]uint64{"large": 20, "nearest": 8, "nearest-lossy": 8}
	slow := []string{"large", "nearest", "nearest-lossy", "paths", "paths-all", "paths-regions", "crash-lossy", "last-node", "idle-cost"}
	for _, k := range Figures() {
		t.Run(k.Name, func(t *testing.T) {
			if testing.Short() && slices.Contains(slow, k.Name) {
				t.Skip("takes seconds")
			}
			t.Parallel()
			seed := max(hard[k.Name], 1)
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
	r.checkDelivery()
	// Node n knows a node that no other node knows, and has handshakes that never complete.
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
