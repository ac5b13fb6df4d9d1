package sim

import (
	"fmt"
	"testing"
	"time"
)

func TestGoNodesWhoseOnlySeedsAreOldNodesFindEachOtherWithinAMinute(t *testing.T) {
	for _, nodes := range []int{2, 3} {
		for _, models := range []int{1, 2, 4, 5, 8} {
			for _, late := range []time.Duration{0, 3 * time.Second} {
				t.Run(fmt.Sprintf("%d nodes, %d old ones, %v late", nodes, models, late), func(t *testing.T) {
					findEachOther(t, LegacySeeds{Seed: 1, Nodes: nodes, Models: models, Late: late})
				})
			}
		}
	}
	t.Run("20 nodes, 5 old ones", func(t *testing.T) {
		findEachOther(t, LegacySeeds{Seed: 1, Nodes: 20, Models: 5})
	})
}

func findEachOther(t *testing.T, o LegacySeeds) {
	m := o.Start()
	if !m.Await(time.Minute, m.GoNodesKnown) {
		t.Errorf("after a minute %s", m.Islands())
	}
	t.Logf("all know each other after %v", m.Net.Elapsed()-o.Late)
}
