package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Millis is a duration that JSON shows in milliseconds, with microsecond precision.
type Millis time.Duration

// MarshalJSON returns the duration as a number of milliseconds.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Round(float64(m)/1e3) / 1e3)
}

// Spread describes a distribution of durations.
type Spread struct {
	Mean Millis `json:"mean_ms"`
	P50  Millis `json:"p50_ms"`
	P99  Millis `json:"p99_ms"`
	Max  Millis `json:"max_ms"`

	sorted []time.Duration
}

func SpreadOf(values []time.Duration) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	slices.Sort(values)
	at := func(q float64) Millis { return Millis(values[min(int(q*float64(len(values))), len(values)-1)]) }
	var sum time.Duration
	for _, v := range values {
		sum += v
	}
	return Spread{Millis(sum) / Millis(len(values)), at(0.5), at(0.99), Millis(values[len(values)-1]), values}
}

// Values returns all durations in ascending order. The caller must not change them.
func (s *Spread) Values() []time.Duration { return s.sorted }

// Text returns a description of the spread in words.
func (s *Spread) Text() string {
	round := func(m Millis) time.Duration { return time.Duration(m).Round(10 * time.Millisecond) }
	return fmt.Sprintf("%v in the mean, %v median, %v at most", round(s.Mean), round(s.P50), round(s.Max))
}

// Percentiles are the percentiles 0 to 100 of a distribution of durations by nearest rank, or none without values.
type Percentiles []Millis

// percentilesOf returns the percentiles of values in ascending order.
func percentilesOf(sorted []time.Duration) Percentiles {
	if len(sorted) == 0 {
		return nil
	}
	p := make(Percentiles, 101)
	for i := range p {
		p[i] = Millis(sorted[max((i*len(sorted)+99)/100-1, 0)])
	}
	return p
}

// percentilesOfCounts returns the percentiles of durations by how often each occurs.
func percentilesOfCounts(counts map[time.Duration]int) Percentiles {
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return nil
	}
	p := make(Percentiles, 101)
	seen, i := 0, 0
	for _, d := range slices.Sorted(maps.Keys(counts)) {
		for seen += counts[d]; i <= 100 && seen >= max((i*total+99)/100, 1); i++ {
			p[i] = Millis(d)
		}
	}
	return p
}
