package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
)

// A bin of a histogram counts the values in a range.
type bin struct {
	from, to time.Duration // to is exclusive
	open     bool          // values at or above to count too
	count    int
}

// bins sorts values into at most the given number of bins, all of one round width. The width is chosen for most of
// the values: the few largest ones share the last bin, which is then open.
func bins(values []time.Duration, limit int) []bin {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(values))
	smallest := sorted[0]
	width := roundUp((quantile(sorted, 0.9) - smallest) / time.Duration(limit))
	start := smallest / width * width
	n := min(int((sorted[len(sorted)-1]-start)/width)+1, limit)
	out := make([]bin, n)
	for i := range out {
		out[i].from = start + time.Duration(i)*width
		out[i].to = out[i].from + width
	}
	for _, v := range sorted {
		i := min(int((v-start)/width), n-1)
		out[i].count++
		out[i].open = v >= out[i].to
	}
	return out
}

// roundUp returns the smallest value of 1, 2 or 5 times a power of ten, in microseconds, that is at least d.
func roundUp(d time.Duration) time.Duration {
	for step := time.Microsecond; ; step *= 10 {
		for _, m := range []time.Duration{1, 2, 5} {
			if m*step >= d {
				return m * step
			}
		}
	}
}

// quantile returns the value that the fraction q of the sorted values does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func median(values []time.Duration) time.Duration {
	return quantile(slices.Sorted(slices.Values(values)), 0.5)
}

// barWidth is the length of the longest bar, in columns.
const barWidth = 40

// histogram draws the bins of values, one line each: bounds, bar, count.
func histogram(values []time.Duration) []string {
	all := bins(values, 10)
	if len(all) == 0 {
		return nil
	}
	unit, name := words.UnitOf(all[len(all)-1].from)
	decimals := decimalsOf(all[0].to-all[0].from, unit)
	highest := 0
	for _, b := range all {
		highest = max(highest, b.count)
	}
	number := func(d time.Duration) string {
		return fmt.Sprintf("%.*f", decimals, float64(d)/float64(unit))
	}
	wide := len(number(all[len(all)-1].to))
	bounds := make([]string, len(all))
	label := len(histogramTitle)
	for i, b := range all {
		bounds[i] = fmt.Sprintf("%*s - %*s %s", wide, number(b.from), wide, number(b.to), name)
		if b.open {
			bounds[i] = fmt.Sprintf("%*s %s or more", wide, number(b.from), name)
		}
		label = max(label, utf8.RuneCountInString(bounds[i]))
	}
	lines := []string{fmt.Sprintf("%-*s  messages", label, histogramTitle)}
	for i, b := range all {
		lines = append(lines, fmt.Sprintf("%-*s  %s %d", label, bounds[i], bar(b.count, highest, barWidth), b.count))
	}
	return lines
}

// histogramTitle is the heading of the column of bounds.
const histogramTitle = "last node"

// eighths are the blocks that end a bar, indexed by eighths of a column.
var eighths = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// bar draws value/whole as a part of width columns. Every value except zero is visible.
func bar(value, whole, width int) string {
	if value <= 0 || whole <= 0 {
		return ""
	}
	n := max(min(value, whole)*width*8/whole, 1)
	return strings.Repeat("█", n/8) + eighths[n%8]
}

// decimalsOf returns how many decimals distinguish multiples of step.
func decimalsOf(step, unit time.Duration) (n int) {
	for ; step%unit != 0; n++ {
		step *= 10
	}
	return n
}
