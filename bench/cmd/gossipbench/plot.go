package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gwyh-go/gwyh/internal/plot"
)

// drawn are the adapters that plots show, in this order.
var drawn = []struct{ adapter, name string }{
	{"raw", "raw flood, the floor"}, {"ours", "gwyh"}, {"gossipsub-tcp", "gossipsub over TCP"}, {"memberlist-lan", "memberlist, LAN"},
}

// plots writes the charts of docs/PERFORMANCE.md from recorded results.
func plots(args []string) error {
	f := flag.NewFlagSet("plot", flag.ContinueOnError)
	data := f.String("data", "recorded", "folder with delivery.jsonl and detection.jsonl, which suite writes, and sizes.json, which gwyh sim -json writes")
	out := f.String("out", "../docs", "folder for the charts")
	if err := f.Parse(args); err != nil {
		return err
	}
	charts, err := chartsOf(*data)
	if err != nil {
		return err
	}
	for name, c := range charts {
		if err := os.WriteFile(filepath.Join(*out, name), []byte(c.File()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// chartsOf returns the charts of recorded results by the names of their files.
func chartsOf(folder string) (map[string]*plot.Chart, error) {
	delivery, err := readResults(filepath.Join(folder, "delivery.jsonl"))
	detection, failed := readResults(filepath.Join(folder, "detection.jsonl"))
	sizes, broken := readSizes(filepath.Join(folder, "sizes.json"))
	if err := errors.Join(err, failed, broken); err != nil {
		return nil, err
	}
	return map[string]*plot.Chart{
		"plot-delivery.svg":  deliveryChart(pick(delivery)),
		"plot-detection.svg": detectionChart(pick(detection)),
		"plot-bytes.svg":     bytesChart(sizes),
		"plot-times.svg":     timesChart(sizes),
	}, nil
}

// distributions returns a line for each adapter: of each percentile the median over the rounds.
func distributions(results []Result, of func(*Result) (percentiles []float64, whole float64)) (series []plot.Series) {
	for _, d := range drawn {
		var rounds [][]float64
		least := 1.0 // the fraction that arrived in the worst round
		for i := range results {
			if p, whole := of(&results[i]); results[i].Adapter == d.adapter && results[i].Error == "" && len(p) > 0 {
				rounds, least = append(rounds, p), min(least, whole)
			}
		}
		if len(rounds) == 0 {
			continue
		}
		middle := make([]float64, len(rounds[0]))
		for i := range middle {
			var at []float64
			for _, p := range rounds {
				at = append(at, p[i])
			}
			middle[i] = median(at)
		}
		series = append(series, plot.Series{Name: d.name, Points: plot.Distribution(middle, least)})
	}
	return series
}

// halves says when each series reaches half of its values.
func halves(series []plot.Series, unit string) string {
	var parts []string
	for _, s := range series {
		parts = append(parts, fmt.Sprintf("%s %.3g %s", s.Name, s.Points[len(s.Points)/2].X, unit))
	}
	return "Median: " + strings.Join(parts, ", ") + "."
}

func deliveryChart(results []Result) *plot.Chart {
	series := distributions(results, func(r *Result) ([]float64, float64) {
		if r.Latency == nil {
			return nil, 0
		}
		return r.Latency.Delays, r.Latency.Ratio
	})
	return &plot.Chart{Title: "Delay of deliveries, 100 nodes on one machine", Text: halves(series, "ms"), Series: series,
		X: plot.Axis{Label: "ms since the message was sent", Log: true}, Y: plot.Axis{Label: "deliveries", Unit: " %", Max: 100}}
}

func detectionChart(results []Result) *plot.Chart {
	series := distributions(results, func(r *Result) ([]float64, float64) {
		if r.Kill == nil {
			return nil, 0
		}
		return r.Kill.Known, 1
	})
	for i := range series { // all lines begin at the crash
		first := series[i].Points[0]
		series[i].Points = append([]plot.Point{{}, {X: first.X}}, series[i].Points...)
	}
	return &plot.Chart{Title: "How a crash becomes known, 50 nodes on one machine", Text: halves(series, "s"), Series: series,
		X: plot.Axis{Label: "s since the crash"}, Y: plot.Axis{Label: "nodes that know of it", Unit: " %", Max: 100}}
}

// A simulated is what a plot needs of the report of gwyh sim -json (docs/sim.schema.json).
type simulated struct {
	Sizes []struct {
		Nodes        int     `json:"nodes"`
		Whole        float64 `json:"whole_ms"`
		Idle         traffic `json:"idle"`
		Broadcasting traffic `json:"broadcasting"`
		Last         float64 `json:"last_node_p50_ms"`
		Known        float64 `json:"known_dead_p50_ms"`
	} `json:"sizes"`
}

type traffic struct {
	Bytes float64 `json:"sent_bytes_per_s"`
}

func readSizes(name string) (r simulated, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	if len(r.Sizes) == 0 {
		return r, fmt.Errorf("%s has no sizes", name)
	}
	return r, nil
}

func bytesChart(r simulated) *plot.Chart {
	series := []plot.Series{{Name: "at rest", Dots: true}, {Name: "with 10 messages a second in the cluster", Dots: true}}
	for _, s := range r.Sizes {
		for i, v := range []float64{s.Idle.Bytes, s.Broadcasting.Bytes} {
			series[i].Points = append(series[i].Points, plot.Point{X: float64(s.Nodes), Y: v})
		}
	}
	last := r.Sizes[len(r.Sizes)-1]
	return &plot.Chart{Title: "Bytes that a node sends a second, simulated", Series: series,
		Text: fmt.Sprintf("In a cluster of %d nodes %.0f at rest, %.0f with messages.", last.Nodes, last.Idle.Bytes, last.Broadcasting.Bytes),
		X:    plot.Axis{Label: "nodes", Log: true}, Y: plot.Axis{Label: "bytes/s"}}
}

func timesChart(r simulated) *plot.Chart {
	series := []plot.Series{{Name: "all nodes joined one at once", Dots: true}, {Name: "last node has a message", Dots: true}, {Name: "last node knows of a crash", Dots: true}}
	for _, s := range r.Sizes {
		for i, v := range []float64{s.Whole, s.Last, s.Known} {
			series[i].Points = append(series[i].Points, plot.Point{X: float64(s.Nodes), Y: v})
		}
	}
	last := r.Sizes[len(r.Sizes)-1]
	return &plot.Chart{Title: "Times by the size of the cluster, simulated", Series: series,
		Text: fmt.Sprintf("In a cluster of %d nodes: %.0f, %.1f and %.0f ms.", last.Nodes, last.Whole, last.Last, last.Known),
		X:    plot.Axis{Label: "nodes", Log: true}, Y: plot.Axis{Label: "ms", Log: true}}
}
