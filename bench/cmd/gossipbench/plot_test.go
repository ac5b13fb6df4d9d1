package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// make plots writes the charts that the documents show.
func TestChartsOfTheDocumentsAreThoseOfTheRecordedResults(t *testing.T) {
	charts, err := chartsOf("../../recorded")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../../docs/PERFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range charts {
		b, err := os.ReadFile(filepath.Join("../../../docs", name))
		if err != nil || string(b) != c.File() {
			t.Errorf("%s is not what make plots writes (%v)", name, err)
		}
		if !strings.Contains(string(document), "]("+name+")") {
			t.Errorf("PERFORMANCE.md does not show %s", name)
		}
		if len(c.Series) < 2 || strings.Contains(c.SVG(), "no data") {
			t.Errorf("%s has %d series", name, len(c.Series))
		}
	}
}

func TestLineOfAnAdapterIsTheMedianOfItsRounds(t *testing.T) {
	round := func(delays ...float64) Result {
		return Result{Adapter: "ours", Latency: &Latency{Delays: delays, Ratio: 0.5}}
	}
	failed := round(100, 100, 100)
	failed.Error = "x"
	s := deliveryChart([]Result{round(1, 2, 9), round(3, 4, 5), round(2, 6, 7), failed, {Adapter: "raw"}}).Series
	if len(s) != 1 || s[0].Name != "gwyh" {
		t.Fatalf("series %+v", s)
	}
	for i, want := range []struct{ x, y float64 }{{2, 0}, {4, 25}, {7, 50}} {
		if p := s[0].Points[i]; p.X != want.x || p.Y != want.y {
			t.Errorf("point %d is %+v, want %+v", i, p, want)
		}
	}
}
