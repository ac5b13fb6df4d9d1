package main

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestKnowledgeHasFewestAndMedian(t *testing.T) {
	k := knowledgeOf([]int{80, 100, 40, 90, 100})
	if want := (knowledge{all: 0, sum: 410, off: 385, fewest: 40, median: 90, nodes: 5}); k != want {
		t.Errorf("%+v, want %+v", k, want)
	}
	k = knowledgeOf([]int{2, 3, 3})
	if got, want := k.String(), "2 of 3 nodes know all 3; the one that knows fewest knows 2, the median 3"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// On a slow machine the wait goes on while there is progress, and ends when there is none.
func TestWaitGoesOnWhileTheNumberGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		grows := func(until time.Duration) func() (int, bool) {
			return func() (int, bool) {
				n := int(min(time.Since(begin), until) / (20 * time.Second))
				return n, n == 10
			}
		}
		if !pollWhileGrowing(t.Context(), time.Millisecond, formWait, grows(time.Hour)) {
			t.Error("given up although it grew every 20 s")
		}
		if took := time.Since(begin); took < 200*time.Second || took > 201*time.Second {
			t.Errorf("it took %v", took)
		}
		begin = time.Now()
		if pollWhileGrowing(t.Context(), time.Millisecond, formWait, grows(100*time.Second)) {
			t.Error("it has come to nothing")
		}
		if took := time.Since(begin); took < 130*time.Second || took > 131*time.Second {
			t.Errorf("given up after %v, want 30 s after the last growth", took)
		}
	})
}
