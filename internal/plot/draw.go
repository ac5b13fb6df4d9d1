package plot

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// Size of a chart in units of the SVG, and its margins.
const (
	width  = 720
	height = 340
	left   = 78
	right  = 22
	bottom = 48
	letter = 7.2 // mean width of a letter, for the legend
	row    = 20  // height of a row of the legend
)

// Colors is a style sheet for pages that contain charts: the colors, and how each part of a chart looks.
const Colors = `:root{color-scheme:light dark;--plot-page:#fff;--plot-text:#16202b;--plot-muted:#536070;--plot-line:#d7dde5;--plot-band:#eef1f5;` +
	`--plot-0:#0b6e66;--plot-1:#b04a00;--plot-2:#5b4bb3;--plot-3:#a3195b;--plot-4:#1d6fb8;--plot-5:#6b6100;--plot-6:#5b6674;--plot-7:#b02318}
@media(prefers-color-scheme:dark){:root{--plot-page:#151c24;--plot-text:#e7edf3;--plot-muted:#9dabba;--plot-line:#2a3542;--plot-band:#1d2630;` +
	`--plot-0:#62d0c2;--plot-1:#ffab66;--plot-2:#b3a6ff;--plot-3:#ff8fc1;--plot-4:#7fbdff;--plot-5:#d6cb5b;--plot-6:#b5bec8;--plot-7:#ff9184}}
.plot text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--plot-muted)}
.plot .title{font-weight:600;font-size:15px;fill:var(--plot-text)}.plot .name{fill:var(--plot-text)}
.plot .page{fill:var(--plot-page)}.plot .band{fill:var(--plot-band)}.plot .grid{stroke:var(--plot-line);fill:none}
.plot .l{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.plot .s0{stroke:var(--plot-0)}.plot .s1{stroke:var(--plot-1);stroke-dasharray:9 4}.plot .s2{stroke:var(--plot-2);stroke-dasharray:2 4}` +
	`.plot .s3{stroke:var(--plot-3);stroke-dasharray:12 4 2 4}
.plot .s4{stroke:var(--plot-4);stroke-dasharray:5 4}.plot .s5{stroke:var(--plot-5);stroke-dasharray:1 5}.plot .s6{stroke:var(--plot-6);stroke-dasharray:16 5}` +
	`.plot .s7{stroke:var(--plot-7);stroke-dasharray:7 3 2 3 2 3}
.plot circle{stroke:none}.plot .d0{fill:var(--plot-0)}.plot .d1{fill:var(--plot-1)}.plot .d2{fill:var(--plot-2)}.plot .d3{fill:var(--plot-3)}` +
	`.plot .d4{fill:var(--plot-4)}.plot .d5{fill:var(--plot-5)}.plot .d6{fill:var(--plot-6)}.plot .d7{fill:var(--plot-7)}
`

// File returns the chart as a file of its own, with its colors.
func (c *Chart) File() string {
	svg := c.SVG()
	at := strings.Index(svg, ">") + 1
	return svg[:at] + "<style>" + Colors + "</style>" + svg[at:] + "\n"
}

// SVG returns the chart as an element of a page that contains Colors.
func (c *Chart) SVG() string {
	b := &canvas{}
	legend := c.legend()
	b.top = 40 + row*len(legend)
	b.bottom = b.top + height - 40 - bottom
	b.add(`<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`,
		width, b.bottom+bottom, escape(strings.TrimSpace(c.Title+". "+c.Text)))
	b.add(`<rect class="page" width="%d" height="%d" rx="8"/>`, width, b.bottom+bottom)
	b.add(`<text class="title" x="16" y="26">%s</text>`, escape(c.Title))
	x, y, any := c.scales()
	if !any {
		b.text("", (left+width-right)/2, (b.top+b.bottom)/2, "middle", "no data")
	} else {
		b.legend(legend)
		b.spans(c.Spans, &x)
		b.axes(c, &x, &y)
		for i := range c.Series[:min(len(c.Series), SeriesMax)] {
			b.line(i, c.shown(&c.Series[i]), c.Series[i].Dots, &x, &y)
		}
	}
	b.add("</svg>")
	return b.String()
}

// A key is an entry of the legend.
type key struct {
	series int
	x      float64
	name   string
}

// legend places the names of the series in rows.
func (c *Chart) legend() (rows [][]key) {
	x := float64(width)
	for i := range c.Series[:min(len(c.Series), SeriesMax)] {
		name := c.Series[i].Name
		wide := 46 + letter*float64(utf8.RuneCountInString(name))
		if x+wide > width {
			rows, x = append(rows, nil), 16
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], key{i, x, name})
		x += wide + 8
	}
	return rows
}

// A canvas is an SVG in the making. The area of the lines is from top to bottom.
type canvas struct {
	strings.Builder
	top, bottom int
}

func (b *canvas) add(format string, args ...any) { fmt.Fprintf(b, format, args...) }

func (b *canvas) text(class string, x, y int, anchor, text string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	b.add(`<text%s x="%d" y="%d" text-anchor="%s">%s</text>`, class, x, y, anchor, escape(text))
}

func (b *canvas) x(s *scale, v float64) float64 { return left + s.at(v)*(width-left-right) }

func (b *canvas) y(s *scale, v float64) float64 {
	return float64(b.bottom) - s.at(v)*float64(b.bottom-b.top)
}

func (b *canvas) legend(rows [][]key) {
	for i, keys := range rows {
		for _, k := range keys {
			y := 46 + row*i
			b.add(`<path class="l s%d" d="M%.0f %dh30"/>`, k.series, k.x, y-4)
			b.add(`<text class="name" x="%.0f" y="%d">%s</text>`, k.x+36, y, escape(k.name))
		}
	}
}

// spans shades every second part of the x axis and writes the names of those that are wide enough.
func (b *canvas) spans(spans []Span, x *scale) {
	for i, s := range spans {
		from, to := b.x(x, s.From), b.x(x, s.To)
		if i%2 == 0 {
			b.add(`<rect class="band" x="%.1f" y="%d" width="%.1f" height="%d"/>`, from, b.top, to-from, b.bottom-b.top)
		}
		if to-from > letter*float64(utf8.RuneCountInString(s.Name)) {
			b.text("", int((from+to)/2), b.top+15, "middle", s.Name)
		}
	}
}

// axes draws the grid, the labels of the ticks and those of the axes.
func (b *canvas) axes(c *Chart, x, y *scale) {
	b.add(`<path class="grid" d="`)
	for _, t := range y.ticks {
		b.add("M%d %.1fH%d", left, b.y(y, t), width-right)
	}
	for _, t := range x.ticks {
		b.add("M%.1f %dv5", b.x(x, t), b.bottom)
	}
	b.add(`"/>`)
	for _, t := range y.ticks {
		b.text("", left-8, int(b.y(y, t))+4, "end", y.label(t))
	}
	for _, t := range x.ticks {
		b.text("", int(b.x(x, t)), b.bottom+18, "middle", x.label(t))
	}
	b.text("", (left+width-right)/2, b.bottom+38, "middle", c.X.Label)
	b.add(`<text x="0" y="0" text-anchor="middle" transform="translate(16 %d) rotate(-90)">%s</text>`, (b.top+b.bottom)/2, escape(c.Y.Label))
}

// line draws a series. A series of one point is a dot.
func (b *canvas) line(series int, points []Point, dots bool, x, y *scale) {
	if len(points) > 1 {
		b.add(`<path class="l s%d" d="`, series)
		for i, p := range points {
			b.add("%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[i == 0], b.x(x, p.X), b.y(y, p.Y))
		}
		b.add(`"/>`)
	}
	if dots || len(points) == 1 {
		for _, p := range points {
			b.add(`<circle class="d%d" cx="%.1f" cy="%.1f" r="3.5"/>`, series, b.x(x, p.X), b.y(y, p.Y))
		}
	}
}

func escape(text string) string { return html.EscapeString(text) }
