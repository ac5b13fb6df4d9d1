package plot

import (
	"math"
	"strconv"
	"strings"
)

// Numbers of intervals that the ticks of an axis aim at.
const (
	ticksX = 8
	ticksY = 5
)

// A scale maps values to positions from 0 to 1.
type scale struct {
	log      bool
	from, to float64
	ticks    []float64
	unit     string
}

// scaleOf returns the scale of an axis for values from lowest to highest. A linear scale begins at 0, or below it.
func scaleOf(a *Axis, lowest, highest float64, intervals int) scale {
	if a.Log {
		return logarithmic(a, lowest, highest)
	}
	s := scale{from: min(lowest, 0), to: highest, unit: a.Unit}
	if s.to <= s.from {
		s.to = s.from + 1
	}
	step := niceStep((s.to - s.from) / float64(intervals))
	s.from = math.Floor(s.from/step) * step
	if a.Max == 0 {
		s.to = math.Ceil(s.to/step-1e-9) * step
	}
	for i := 0.0; s.from+i*step <= s.to*(1+1e-9); i++ {
		s.ticks = append(s.ticks, s.from+i*step)
	}
	return s
}

// logarithmic returns a scale whose ends are 1, 2 or 5 times a power of ten. So are the ticks, or only the powers of
// ten if there are many.
func logarithmic(a *Axis, lowest, highest float64) scale {
	if highest <= 0 {
		lowest, highest = 1, 10
	}
	s := scale{log: true, from: lowest, to: highest, unit: a.Unit}
	var all []float64
	for e := math.Floor(math.Log10(lowest)) - 1; e <= math.Ceil(math.Log10(highest))+1; e++ {
		for _, m := range []float64{1, 2, 5} {
			all = append(all, m*math.Pow(10, e))
		}
	}
	for _, v := range all { // the last one that is not above the values, and the first one that is not below
		if v <= lowest*(1+1e-9) {
			s.from = v
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] >= highest*(1-1e-9) {
			s.to = all[i]
		}
	}
	if s.from == s.to {
		s.to *= 10
	}
	decades := math.Log10(s.to / s.from)
	for i, v := range all {
		if v >= s.from && v <= s.to && (decades <= 3 || i%3 == 0) {
			s.ticks = append(s.ticks, v)
		}
	}
	return s
}

// niceStep returns the smallest of 1, 2 or 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= v*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// at returns the position of a value, between 0 and 1.
func (s *scale) at(v float64) float64 {
	f := (v - s.from) / (s.to - s.from)
	if s.log {
		f = math.Log(v/s.from) / math.Log(s.to/s.from)
	}
	return min(max(f, 0), 1)
}

// label formats the value of a tick.
func (s *scale) label(v float64) string {
	return number(v) + s.unit
}

// number formats a number with up to six significant digits and commas between thousands.
func number(v float64) string {
	text := strconv.FormatFloat(v, 'g', 6, 64)
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		text = strconv.FormatFloat(f, 'f', -1, 64)
	}
	whole, rest, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return sign + whole
}
