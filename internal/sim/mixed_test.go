package sim

import (
	"testing"
	"time"
)

func TestMixedClusterHearsEverythingAndNobodyIsHarmed(t *testing.T) {
	out := MixedLife{Seed: 1, Nodes: 10, Models: 5, Duration: 6 * time.Minute}.Live()
	for _, p := range out.Problems {
		t.Error(p)
	}
	t.Logf("%d broadcasts; a Go node sends %.1f packets a second, %.0f in its worst; a model %.1f", out.Said, out.Sent, out.SentMax, out.Passed)
}
