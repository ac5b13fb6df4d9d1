package simreport

import (
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
	"github.com/gwyh-go/gwyh/internal/plot"
	"github.com/gwyh-go/gwyh/internal/sim"
)

func (r *Report) formationFacts() []Fact {
	return []Fact{{"cluster complete after", words.Short(time.Duration(r.Formation.Whole))}, {"a node sent", words.Rates(r.Formation.Usage.Mean.SentPackets, r.Formation.Usage.Mean.SentBytes)}}
}

func (r *Report) formationChart() plot.Chart {
	series := []plot.Series{{Name: "members that a node knows, mean"}, {Name: "nodes that know all members"}, {Name: "nodes with all links"}}
	for _, f := range r.Formation.Course {
		for i, v := range []float64{f.Known, f.Full, f.Linked} {
			series[i].Points = append(series[i].Points, plot.Point{X: in(time.Millisecond, f.At), Y: 100 * v})
		}
	}
	return plot.Chart{Title: "How the cluster forms", Text: fmt.Sprintf("Each node knows all others and has its links after %s.", words.Short(time.Duration(r.Formation.Whole))),
		X: plot.Axis{Label: "ms since the first Join"}, Y: plot.Axis{Label: "of all", Unit: " %", Max: 100}, Series: series}
}

func (r *Report) coverageFacts() []Fact {
	b := r.Broadcast
	return []Fact{{"messages", words.Grouped(b.Messages) + " of " + words.Bytes(float64(b.Size))}, {"deliveries made", fmt.Sprintf("%s of %s", words.Grouped(b.Wanted-b.Missing), words.Grouped(b.Wanted))},
		{"repeated", words.Grouped(b.Again)}, {"refused", words.Grouped(b.Refused)}}
}

func (r *Report) coverageChart() plot.Chart {
	series := []plot.Series{{Name: "quickest message"}, {Name: "median"}, {Name: "slowest message"}}
	for i := range series {
		series[i].Points = []plot.Point{{}}
	}
	for _, c := range r.Broadcast.Coverage {
		for i, at := range []sim.Millis{c.Quickest, c.Median, c.Slowest} {
			series[i].Points = append(series[i].Points, plot.Point{X: in(time.Millisecond, at), Y: 100 * c.Nodes})
		}
	}
	return plot.Chart{Title: "How many nodes have a message", Text: fmt.Sprintf("The last node has the median message after %s.", words.Short(time.Duration(r.Broadcast.Last.P50))),
		X: plot.Axis{Label: "ms since it was sent"}, Y: plot.Axis{Label: "nodes", Unit: " %", Max: 100}, Series: series}
}

func (r *Report) latencyFacts() (facts []Fact) {
	for _, z := range r.Broadcast.Zones {
		if name := zoneName(z.Zone); len(z.Delays) > 0 {
			facts = append(facts, Fact{name, fmt.Sprintf("%s median, %s 99 %%", words.Short(time.Duration(z.Delays[50])), words.Short(time.Duration(z.Delays[99])))})
		}
	}
	return facts
}

// zoneName names a zone, or all nodes without zones.
func zoneName(zone string) string {
	if zone == "" {
		return "all nodes"
	}
	return zone
}

func (r *Report) latencyChart() plot.Chart {
	c := plot.Chart{Title: "Delay of deliveries by the zone of the receiver", Text: "The figures above say the median and the 99th percentile of each zone.",
		X: plot.Axis{Label: "ms since the message was sent"}, Y: plot.Axis{Label: "deliveries", Unit: " %", Max: 100}}
	for _, z := range r.Broadcast.Zones[:min(len(r.Broadcast.Zones), plot.SeriesMax)] {
		c.Series = append(c.Series, plot.Series{Name: zoneName(z.Zone), Points: plot.Distribution(inMillis(z.Delays), 1)})
	}
	if more := len(r.Broadcast.Zones) - len(c.Series); more > 0 {
		c.Title += fmt.Sprintf(" (the first %d zones)", len(c.Series))
	}
	return c
}

func inMillis(p sim.Percentiles) (values []float64) {
	for _, v := range p {
		values = append(values, in(time.Millisecond, v))
	}
	return values
}

func (r *Report) costFacts() (facts []Fact) {
	if b := r.Broadcast; b != nil {
		facts = append(facts, Fact{"copies of a message for each node", words.Figure(b.Copies)})
		if len(r.Zones) > 1 {
			facts = append(facts, Fact{"of these across zones", words.Figure(b.CrossZone)})
		}
		facts = append(facts, Fact{"a node sends", words.Rates(b.Usage.Mean.SentPackets, b.Usage.Mean.SentBytes)})
	}
	if r.Idle != nil {
		facts = append(facts, Fact{"a node at rest sends", words.Rates(r.Idle.Mean.SentPackets, r.Idle.Mean.SentBytes)})
	}
	return facts
}

func (r *Report) copiesChart() plot.Chart {
	s, begin := plot.Series{Name: "copies that a node receives"}, 0.0
	for _, t := range r.Traffic {
		at := in(time.Second, t.At)
		if t.Phase != "broadcasting" {
			if len(s.Points) == 0 {
				begin = at
			}
			continue
		}
		if t.Copies > 0 {
			s.Points = append(s.Points, plot.Point{X: at - begin, Y: t.Copies})
		}
	}
	return plot.Chart{Title: "Copies of a message for each node", Text: "The first messages of an origin are flooded; then its paths are known.",
		X: plot.Axis{Label: "s since the first broadcast"}, Y: plot.Axis{Label: "copies"}, Series: []plot.Series{s}}
}

func (r *Report) bytesChart() plot.Chart {
	c := plot.Chart{Title: "Bytes that a node sends", Text: "A node of the mean, over the whole run.",
		X: plot.Axis{Label: "s since the start"}, Y: plot.Axis{Label: "bytes/s", Log: true}}
	s := plot.Series{Name: "bytes a second, mean of all nodes"}
	for _, t := range r.Traffic {
		at := in(time.Second, t.At)
		s.Points = append(s.Points, plot.Point{X: at, Y: t.Bytes})
		if n := len(c.Spans); n > 0 && c.Spans[n-1].Name == t.Phase {
			c.Spans[n-1].To = at
			continue
		}
		from := 0.0
		if n := len(c.Spans); n > 0 {
			from = c.Spans[n-1].To
		}
		c.Spans = append(c.Spans, plot.Span{Name: t.Phase, From: from, To: at})
	}
	c.Series = []plot.Series{s}
	return c
}

func (r *Report) detectionFacts() []Fact {
	f := r.Failure
	return []Fact{{"crashes at the same moment", words.Grouped(f.Crashes)}, {"not known to all", words.Grouped(f.Unnoticed)},
		{"suspected by a first node after", words.Short(time.Duration(f.Suspected.P50)) + " median"}, {"known to the last node after", words.Short(time.Duration(f.Known.P50)) + " median"},
		{"live nodes declared dead", words.Grouped(f.FalseDead)}}
}

func (r *Report) detectionChart() plot.Chart {
	f := r.Failure
	c := plot.Chart{Title: "How crashes become known", Text: fmt.Sprintf("A first node suspects the median crash after %s; all know it after %s.",
		words.Short(time.Duration(f.Suspected.P50)), words.Short(time.Duration(f.Known.P50))),
		X: plot.Axis{Label: "s since the crash"}, Y: plot.Axis{Label: "of all", Unit: " %", Max: 100}}
	for _, s := range []struct {
		name string
		is   sim.Percentiles
	}{{"crashes that a first node suspects", f.Suspicions}, {"nodes that know of a crash", f.Observers}, {"crashes that all nodes know", f.Knowing}} {
		points := []plot.Point{{}}
		for i, v := range s.is {
			if i == 0 {
				points = append(points, plot.Point{X: in(time.Second, v)})
			}
			points = append(points, plot.Point{X: in(time.Second, v), Y: float64(i)})
		}
		c.Series = append(c.Series, plot.Series{Name: s.name, Points: points})
	}
	return c
}

func (r *Report) bytesBySizeChart() plot.Chart {
	rest, busy := plot.Series{Name: "at rest", Dots: true}, plot.Series{Name: "while nodes broadcast", Dots: true}
	for _, s := range r.Sizes {
		if s.Idle != nil {
			rest.Points = append(rest.Points, plot.Point{X: float64(s.Nodes), Y: s.Idle.SentBytes})
		}
		if s.Broadcasting != nil {
			busy.Points = append(busy.Points, plot.Point{X: float64(s.Nodes), Y: s.Broadcasting.SentBytes})
		}
	}
	return plot.Chart{Title: "Bytes that a node sends, by the size of the cluster", Text: "The data of the page has the figures.",
		X: plot.Axis{Label: "nodes", Log: true}, Y: plot.Axis{Label: "bytes/s"}, Series: []plot.Series{rest, busy}}
}

func (r *Report) timesBySizeChart() plot.Chart {
	series := []plot.Series{{Name: "cluster complete", Dots: true}, {Name: "last node has a message, median", Dots: true}, {Name: "last node knows of a crash, median", Dots: true}}
	for _, s := range r.Sizes {
		for i, v := range []sim.Millis{s.Whole, s.Last, s.Known} {
			series[i].Points = append(series[i].Points, plot.Point{X: float64(s.Nodes), Y: in(time.Millisecond, v)})
		}
	}
	return plot.Chart{Title: "Times by the size of the cluster", Text: "The data of the page has the figures.",
		X: plot.Axis{Label: "nodes", Log: true}, Y: plot.Axis{Label: "ms", Log: true}, Series: series}
}
