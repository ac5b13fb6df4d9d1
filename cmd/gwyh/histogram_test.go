package main

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
)

const ms = time.Millisecond

func TestHistogramShowsMostValuesAndGathersTheHighestOnes(t *testing.T) {
	var values []time.Duration
	for i := range 100 {
		values = append(values, ms+time.Duration(i)*20*time.Microsecond) // 1.00 to 2.98 ms
	}
	values = append(values, 80*ms, 300*ms)
	got := strings.Join(histogram(values), "\n")
	want := `last node       messages
1.0 - 1.2 ms    █████████████████████████████████▎ 10
1.2 - 1.4 ms    █████████████████████████████████▎ 10
1.4 - 1.6 ms    █████████████████████████████████▎ 10
1.6 - 1.8 ms    █████████████████████████████████▎ 10
1.8 - 2.0 ms    █████████████████████████████████▎ 10
2.0 - 2.2 ms    █████████████████████████████████▎ 10
2.2 - 2.4 ms    █████████████████████████████████▎ 10
2.4 - 2.6 ms    █████████████████████████████████▎ 10
2.6 - 2.8 ms    █████████████████████████████████▎ 10
2.8 ms or more  ████████████████████████████████████████ 12`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHistogramCountsEveryValueInItsBin(t *testing.T) {
	for _, values := range [][]time.Duration{
		{0}, {5 * ms}, {5 * ms, 5 * ms, 5 * ms}, {1, 2, 3}, {time.Second, 3 * time.Second}, {ms, time.Hour},
		{900 * time.Microsecond, 1100 * time.Microsecond}, {ms, 2 * ms, 3 * ms, 4 * ms, 5 * ms, 6 * ms, 7 * ms, 8 * ms, 9 * ms, 10 * ms},
	} {
		all := bins(values, 10)
		if len(all) == 0 || len(all) > 10 {
			t.Errorf("%v: %d bins", values, len(all))
		}
		total := 0
		for i, b := range all {
			count := 0
			for _, v := range values {
				if v >= b.from && (v < b.to || b.open) {
					count++
				}
			}
			if count != b.count || b.open && i < len(all)-1 {
				t.Errorf("%v: bin %+v, of which %d are true", values, b, count)
			}
			total += b.count
		}
		if total != len(values) {
			t.Errorf("%v: %d counted", values, total)
		}
		for _, line := range histogram(values) {
			if n := utf8.RuneCountInString(line); n > 72 {
				t.Errorf("%v: a line of %d columns: %s", values, n, line)
			}
		}
	}
	if bins(nil, 10) != nil || histogram(nil) != nil {
		t.Error("bins of nothing")
	}
}

func TestHistogramBoundsAreAlignedAndExact(t *testing.T) {
	lines := histogram([]time.Duration{950 * time.Microsecond, 1050 * time.Microsecond, 1350 * time.Microsecond, 10 * ms})
	edge := strings.Index(lines[0], "messages")
	for _, line := range lines[1:] {
		if !strings.Contains(line[:edge], "ms") || strings.TrimSpace(line[edge-2:edge]) != "" {
			t.Errorf("not aligned:\n%s", strings.Join(lines, "\n"))
		}
	}
}

func TestBarShowsEverythingButZero(t *testing.T) {
	for _, c := range []struct {
		value, whole, width int
		want                string
	}{
		{0, 10, 8, ""}, {10, 10, 4, "████"}, {20, 10, 4, "████"}, {1, 10_000, 4, "▏"}, {5, 10, 4, "██"}, {1, 16, 4, "▎"}, {3, 0, 4, ""},
	} {
		if got := bar(c.value, c.whole, c.width); got != c.want {
			t.Errorf("bar(%d, %d, %d) = %q, want %q", c.value, c.whole, c.width, got, c.want)
		}
	}
}

func TestDurationsAreWrittenWithTwoOrThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 µs", 740 * time.Microsecond: "740 µs", 1234 * time.Microsecond: "1.2 ms", 38 * ms: "38 ms", 999 * ms: "999 ms",
		1430 * ms: "1.43 s", 12_340 * ms: "12.3 s",
	} {
		if got := words.Short(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}

func TestQuantileIsAValueThatWasSeen(t *testing.T) {
	values := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 6, 0.95: 10, 1: 10} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 || median(slices.Clone(values[:1])) != 1 {
		t.Error("quantile of nothing or of one")
	}
}
