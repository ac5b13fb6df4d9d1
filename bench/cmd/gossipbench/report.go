package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A table shows one test: one row per line of the plan, with medians over the rounds.
type table struct {
	title   string
	base    string // the adapter that ratios refer to
	has     func(*Result) bool
	columns []column
}

type column struct {
	head   string
	format string
	get    func(*Result) float64
	ratio  bool // also shown as a multiple of the base adapter's value in the same round
	worst  bool // the maximum over the rounds instead of the median
}

var tables = []table{
	{"Spaced messages", "raw", func(r *Result) bool { return r.Latency != nil }, []column{
		{"B", "%.0f", func(r *Result) float64 { return float64(r.Latency.Size) }, false, false},
		{"last node p50, ms", "%.2f", func(r *Result) float64 { return r.Latency.LastP50 }, true, false},
		{"p99, ms", "%.2f", func(r *Result) float64 { return r.Latency.LastP99 }, true, false},
		{"half of the nodes, ms", "%.2f", func(r *Result) float64 { return r.Latency.MidP50 }, false, false},
		{"CPU per message and node, us", "%.0f", func(r *Result) float64 { return r.Latency.CPU }, true, false},
		{"packets", "%.1f", func(r *Result) float64 { return r.Latency.Packets }, false, false},
		{"incomplete", "%.0f", func(r *Result) float64 { return float64(r.Latency.Incomplete) }, false, true},
	}},
	{"Closed loop", "raw", func(r *Result) bool { return r.Window != nil }, flowColumns(func(r *Result) *Flow { return r.Window })},
	{"Open loop", "raw", func(r *Result) bool { return r.Saturate != nil }, flowColumns(func(r *Result) *Flow { return r.Saturate })},
	{"64 KiB", "raw-batch-60k", func(r *Result) bool { return len(r.Large) > 0 }, largeColumns(0)},
	{"1 MiB", "raw-batch-60k", func(r *Result) bool { return len(r.Large) > 1 }, largeColumns(1)},
	{"At rest, per node", "", func(r *Result) bool { return r.Idle != nil && len(r.Large) == 0 }, []column{
		{"millicores", "%.2f", func(r *Result) float64 { return r.Idle.Millicores }, false, false},
		{"packets/s", "%.1f", func(r *Result) float64 { return r.Idle.Packets }, false, false},
		{"bytes/s", "%.0f", func(r *Result) float64 { return r.Idle.Bytes }, false, false},
		{"memory, KiB", "%.0f", func(r *Result) float64 { return r.Idle.KiB }, false, false},
		{"goroutines", "%.1f", func(r *Result) float64 { return r.Idle.Goroutines }, false, false},
	}},
	{"All join one seed at once", "", (*Result).onlyForms, []column{
		{"all know all, s", "%.2f", func(r *Result) float64 { return r.Form.Seconds }, false, false},
		{"worst, s", "%.2f", func(r *Result) float64 { return r.Form.Seconds }, false, true},
		{"not in time", "%.0f", func(r *Result) float64 { return count(!r.Form.Whole) }, false, true},
	}},
	{"Nodes killed", "", func(r *Result) bool { return r.Kill != nil }, []column{
		{"first suspects, s", "%.2f", func(r *Result) float64 { return r.Kill.Suspected }, false, false},
		{"first thinks it dead, s", "%.2f", func(r *Result) float64 { return r.Kill.First }, false, false},
		{"all do, s", "%.2f", func(r *Result) float64 { return r.Kill.All }, false, false},
		{"not all in time", "%.0f", func(r *Result) float64 { return float64(r.Kill.Missed) }, false, true},
		{"alive thought dead", "%.0f", func(r *Result) float64 { return float64(r.Kill.False) }, false, true},
	}},
}

func flowColumns(of func(*Result) *Flow) []column {
	return []column{
		{"messages/s to each node", "%.0f", func(r *Result) float64 { return of(r).Rate }, true, false},
		{"delivered, %", "%.3f", func(r *Result) float64 { return 100 * of(r).Ratio }, false, false},
		{"taken", "%.0f", func(r *Result) float64 { return float64(of(r).Sent) }, false, false},
		{"refused", "%.0f", func(r *Result) float64 { return float64(of(r).Refused) }, false, false},
		{"CPU per message and node, us", "%.1f", func(r *Result) float64 { return of(r).CPU }, true, false},
	}
}

func largeColumns(i int) []column {
	return []column{
		{"last node p50, ms", "%.1f", func(r *Result) float64 { return r.Large[i].LastP50 }, true, false},
		{"p99, ms", "%.1f", func(r *Result) float64 { return r.Large[i].LastP99 }, false, false},
		{"bytes received, of the message", "%.1f", func(r *Result) float64 { return r.Large[i].Bytes / float64(r.Large[i].Size) }, false, false},
		{"incomplete", "%.0f", func(r *Result) float64 { return float64(r.Large[i].Incomplete) }, false, true},
	}
}

func count(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// report prints the tables for the results in files.
func report(w io.Writer, files []string) error {
	var all []Result
	for _, name := range files {
		results, err := readResults(name)
		if err != nil {
			return err
		}
		all = append(all, results...)
	}
	all = pick(all)
	for i := range tables {
		tables[i].print(w, all)
	}
	for _, r := range all {
		if r.Error != "" {
			fmt.Fprintf(w, "\nfailed: round %d, %s: %s\n", r.Round, r.Line, r.Error)
		}
	}
	return nil
}

// onlyForms reports whether a result is of a run without traffic after formation.
func (r *Result) onlyForms() bool {
	broadcasts := r.Window != nil || r.Saturate != nil || len(r.Large) > 0
	return r.Form != nil && r.Kill == nil && !broadcasts
}

// valid reports whether a run ended without an error and was not disturbed.
func (r *Result) valid() bool { return !r.Disturbed && r.Error == "" }

// pick keeps one result per line and round: the last undisturbed one, otherwise the last one.
func pick(all []Result) []Result {
	type key struct {
		line  string
		round int
	}
	place := make(map[key]int)
	var kept []Result
	for _, r := range all {
		k := key{r.Line, r.Round}
		i, ok := place[k]
		switch {
		case !ok:
			place[k] = len(kept)
			kept = append(kept, r)
		case !kept[i].valid() || r.valid():
			kept[i] = r
		}
	}
	return kept
}

func (t *table) print(w io.Writer, all []Result) {
	rows := make(map[string][]*Result)
	var lines []string
	for i := range all {
		if r := &all[i]; r.Error == "" && t.has(r) {
			if rows[r.Line] == nil {
				lines = append(lines, r.Line)
			}
			rows[r.Line] = append(rows[r.Line], r)
		}
	}
	if len(lines) == 0 {
		return
	}
	slices.SortStableFunc(lines, func(a, b string) int { return rows[a][0].N - rows[b][0].N })
	fmt.Fprintf(w, "\n### %s\n\n| adapter | N |", t.title)
	for _, c := range t.columns {
		fmt.Fprintf(w, " %s |", c.head)
	}
	fmt.Fprintf(w, " rounds |\n|---|---|%s\n", strings.Repeat("---|", len(t.columns)+1))
	for _, l := range lines {
		fmt.Fprintln(w, t.row(rows[l], all))
	}
}

// row formats the cells of one line. A dagger marks a line with a disturbed run.
func (t *table) row(of []*Result, all []Result) string {
	dagger := ""
	if slices.ContainsFunc(of, func(r *Result) bool { return r.Disturbed }) {
		dagger = " †"
	}
	b := fmt.Appendf(nil, "| %s%s | %d |", of[0].Adapter, dagger, of[0].N)
	for _, c := range t.columns {
		var values, ratios []float64
		for _, r := range of {
			values = append(values, c.get(r))
			if base := t.baseOf(r, all); base != nil && c.get(base) > 0 {
				ratios = append(ratios, c.get(r)/c.get(base))
			}
		}
		value := median(values)
		if c.worst {
			value = slices.Max(values)
		}
		b = fmt.Appendf(append(b, ' '), c.format, value)
		if c.ratio && len(ratios) > 0 && of[0].Adapter != t.base {
			b = fmt.Appendf(b, " (%.2f x)", median(ratios))
		}
		b = append(b, " |"...)
	}
	return string(fmt.Appendf(b, " %d |", len(of)))
}

// baseOf returns the result that r is compared with: the base adapter's of the same round and size.
func (t *table) baseOf(r *Result, all []Result) *Result {
	for i := range all {
		if o := &all[i]; t.isBase(o, r) && o.Error == "" && t.has(o) {
			return o
		}
	}
	return nil
}

// isBase reports whether o is the base adapter's result of the same round and size as r.
func (t *table) isBase(o, r *Result) bool {
	return o.Adapter == t.base && o.N == r.N && o.Round == r.Round
}

// median returns the middle value, or the mean of the two middle values.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
