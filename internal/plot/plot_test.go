package plot

import (
	"encoding/xml"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func chart() *Chart {
	return &Chart{Title: "Title", Text: "What it shows", X: Axis{Label: "time, ms"}, Y: Axis{Label: "nodes", Unit: " %", Max: 100},
		Series: []Series{{Name: "one", Points: []Point{{0, 0}, {5, 50}, {10, 100}}}, {Name: "two", Points: []Point{{2, 10}}}}}
}

// wellFormed fails the test if text is not XML.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
}

func TestChartHasItsLinesNamesAndAxes(t *testing.T) {
	svg := chart().SVG()
	wellFormed(t, svg)
	for _, want := range []string{`aria-label="Title. What it shows"`, ">one<", ">two<", ">time, ms<", ">nodes<", ">100 %<", ">10<",
		`<path class="l s0" d="M78.0 312.0L`, `<circle class="d1"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "<style>") {
		t.Error("an element of a page has a style of its own")
	}
	if again := chart().SVG(); again != svg {
		t.Error("equal charts differ")
	}
}

func TestFileHasItsColorsAndRequestsNothing(t *testing.T) {
	file := chart().File()
	wellFormed(t, file)
	if !strings.Contains(file, "prefers-color-scheme:dark") {
		t.Error("no colors for a dark page")
	}
	if rest := strings.ReplaceAll(file, "http://www.w3.org/2000/svg", ""); strings.Contains(rest, "http") || strings.Contains(rest, "url(") {
		t.Errorf("the file requests something:\n%s", file)
	}
}

func TestNamesAreText(t *testing.T) {
	c := chart()
	c.Title, c.Series[0].Name, c.X.Label = `"><script>`, "<a>&", "</svg>"
	c.Spans = []Span{{"<b>", 0, 10}}
	svg := c.SVG()
	wellFormed(t, svg)
	if strings.Contains(svg, "<script>") || strings.Contains(svg, "<a>") || strings.Contains(svg, "<b>") || strings.Count(svg, "</svg>") != 1 {
		t.Errorf("a name became an element:\n%s", svg)
	}
}

func TestValuesThatCannotBeShownAreLeftOut(t *testing.T) {
	c := chart()
	c.Series = []Series{{Name: "x", Points: []Point{{math.NaN(), 1}, {1, math.Inf(1)}}}}
	if svg := c.SVG(); !strings.Contains(svg, "no data") || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("drawn:\n%s", svg)
	}
	c.X.Log, c.Series[0].Points = true, []Point{{0, 1}, {-1, 1}, {10, 20}, {1000, 30}}
	if svg := c.SVG(); strings.Contains(svg, "NaN") || !strings.Contains(svg, ">1,000<") {
		t.Errorf("drawn:\n%s", svg)
	}
	if svg := (&Chart{}).SVG(); !strings.Contains(svg, "no data") {
		t.Errorf("drawn:\n%s", svg)
	}
}

func TestTicksAreRoundNumbers(t *testing.T) {
	for _, c := range []struct {
		axis        Axis
		least, most float64
		want        []float64
	}{
		{Axis{}, 3, 10, []float64{0, 2, 4, 6, 8, 10}},
		{Axis{}, 0, 11, []float64{0, 5, 10, 15}},
		{Axis{}, 0, 0, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{Axis{}, -4, 4, []float64{-4, -2, 0, 2, 4}},
		{Axis{Max: 100}, 0, 100, []float64{0, 20, 40, 60, 80, 100}},
		{Axis{Log: true}, 3, 40, []float64{2, 5, 10, 20, 50}},
		{Axis{Log: true}, 1, 1e6, []float64{1, 10, 100, 1000, 10000, 100000, 1e6}},
		{Axis{Log: true}, 10, 10, []float64{10, 20, 50, 100}},
	} {
		s := scaleOf(&c.axis, c.least, c.most, ticksY)
		if !slices.EqualFunc(s.ticks, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-6*max(1, math.Abs(b)) }) {
			t.Errorf("%v to %v: ticks %v, want %v", c.least, c.most, s.ticks, c.want)
		}
		if s.at(s.from) != 0 || s.at(s.to) != 1 {
			t.Errorf("%v to %v: the ends are at %v and %v", c.least, c.most, s.at(s.from), s.at(s.to))
		}
	}
}

func TestNumbersHaveCommas(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.30000000000000004: "0.3", 1500: "1,500", -1234567: "-1,234,570", 12.5: "12.5"} {
		if got := number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

func TestLegendKeepsWithinTheChart(t *testing.T) {
	c := &Chart{}
	for range SeriesMax + 2 {
		c.Series = append(c.Series, Series{Name: "a series with a long name", Points: []Point{{1, 1}}})
	}
	rows := c.legend()
	count := 0
	for _, keys := range rows {
		count += len(keys)
		if last := keys[len(keys)-1]; last.x+36+letter*float64(len(last.name)) > width {
			t.Errorf("%q ends outside", last.name)
		}
	}
	if count != SeriesMax {
		t.Errorf("%d names, want %d", count, SeriesMax)
	}
}

func TestDistributionRisesToItsWhole(t *testing.T) {
	d := Distribution([]float64{1, 2, 4}, 0.5)
	if want := []Point{{1, 0}, {2, 25}, {4, 50}}; !slices.Equal(d, want) {
		t.Errorf("%v, want %v", d, want)
	}
}
