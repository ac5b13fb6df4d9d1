// Package plot draws line charts as SVG, for reports and documents. A chart takes its colors from CSS custom
// properties (see Colors), so that a page can show it dark and light. Equal charts give equal bytes.
//
// Reading order: plot.go has the chart and its parts, scale.go the axes, draw.go the SVG.
package plot

import (
	"cmp"
	"math"
)

// Chart is a chart of lines over common axes.
type Chart struct {
	Title  string // shown above the chart
	Text   string // what the chart shows, for readers who do not see it
	X, Y   Axis
	Series []Series // at most SeriesMax
	Spans  []Span   // parts of the x axis with a name
}

// SeriesMax is the number of lines that have a color of their own.
const SeriesMax = 8

// Series is one line of a chart.
type Series struct {
	Name   string
	Points []Point // in ascending order of X
	Dots   bool    // also mark each point
}

// Point is a point of a line. A point with a value that is not finite, or not above zero on a logarithmic axis, is
// left out.
type Point struct{ X, Y float64 }

// Axis is an axis of a chart.
type Axis struct {
	Label string
	Unit  string  // after the number of each tick, such as "%"
	Log   bool    // logarithmic
	Max   float64 // upper end; 0: a round number above all values
}

// Span is a part of the x axis, such as a phase of a run.
type Span struct {
	Name     string
	From, To float64
}

// Distribution returns the cumulative distribution of percentiles 0 to 100 as a line, in percent of whole. whole is
// the fraction of the values that exist at all, such as of the messages that arrived.
func Distribution(percentiles []float64, whole float64) []Point {
	var points []Point
	for i, v := range percentiles {
		points = append(points, Point{v, whole * 100 * float64(i) / float64(max(len(percentiles)-1, 1))})
	}
	return points
}

// shown returns the points of a series that the axes of the chart can show.
func (c *Chart) shown(s *Series) []Point {
	var points []Point
	for _, p := range s.Points {
		if c.X.shows(p.X) && c.Y.shows(p.Y) {
			points = append(points, p)
		}
	}
	return points
}

func (a *Axis) shows(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.Log || v > 0)
}

// bounds returns the smallest and the largest value of all points along an axis.
func (c *Chart) bounds(along func(Point) float64) (lowest, highest float64, any bool) {
	for i := range c.Series {
		for _, p := range c.shown(&c.Series[i]) {
			v := along(p)
			if !any {
				lowest, highest, any = v, v, true
			}
			lowest, highest = min(lowest, v), max(highest, v)
		}
	}
	return lowest, highest, any
}

// scales returns the scales of both axes, or false if there is nothing to show.
func (c *Chart) scales() (x, y scale, any bool) {
	left, right, any := c.bounds(func(p Point) float64 { return p.X })
	bottom, top, _ := c.bounds(func(p Point) float64 { return p.Y })
	for _, s := range c.Spans {
		right = max(right, s.To)
	}
	right, top = cmp.Or(c.X.Max, right), cmp.Or(c.Y.Max, top)
	return scaleOf(&c.X, left, right, ticksX), scaleOf(&c.Y, bottom, top, ticksY), any
}
