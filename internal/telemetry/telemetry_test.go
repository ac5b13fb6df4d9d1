package telemetry

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/status"
)

func TestDifferencesAndGaugesArePublished(t *testing.T) {
	sink := metrics.NewInmemSink(time.Hour, 24*time.Hour)
	config := metrics.DefaultConfig("")
	config.EnableHostname, config.EnableRuntimeMetrics = false, false
	if _, err := metrics.NewGlobal(config, sink); err != nil {
		t.Fatal(err)
	}
	s := stats.Stats{Traffic: stats.Traffic{SentDatagrams: 10}, Broadcasts: stats.Broadcasts{BroadcastsDelivered: 4}, Gauges: stats.Gauges{Members: 3}}
	s.Dropped[stats.DropForged] = 2
	shell := Shell{SlowestDelivery: 3 * time.Millisecond}
	p := New(nil, []metrics.Label{{Name: "cluster", Value: "blue"}})
	p.publish(&Figures{Core: s, Shell: shell})
	s.SentDatagrams = 25
	p.Offer(&Figures{Core: s, Shell: shell})
	s.SentDatagrams = 100
	p.Offer(&Figures{Core: s, Shell: shell}) // the previous figures have not been taken
	f := <-p.offered
	p.publish(f)

	data := sink.Data()[0]
	for name, want := range map[string]float64{
		"gwyh.udp.sent.datagrams;cluster=blue":        25,
		"gwyh.broadcast.received;cluster=blue":        4,
		"gwyh.decrypt.failed;cluster=blue":            2,
		"gwyh.dropped;cluster=blue;reason=forged":     2,
		"gwyh.dropped;cluster=blue;reason=inbox_full": 0,
	} {
		switch got := data.Counters[name]; {
		case want == 0 && got.AggregateSample != nil:
			t.Errorf("%s: %+v, want %v", name, got.AggregateSample, want)
		case want > 0 && (got.AggregateSample == nil || got.Sum != want):
			t.Errorf("%s: %+v, want %v", name, got.AggregateSample, want)
		}
	}
	if g := data.Gauges["gwyh.members;cluster=blue"]; g.Value != 3 {
		t.Errorf("members %v", g.Value)
	}
	if d := data.Samples["gwyh.delivery;cluster=blue"]; d.AggregateSample == nil || d.Max != 3 {
		t.Errorf("delivery %+v", d.AggregateSample)
	}
}

func TestFiguresWithoutASinkAreDropped(t *testing.T) {
	for _, c := range []struct {
		own       Sink
		discarded bool
		want      int
	}{{nil, true, 0}, {nil, false, 1}, {metrics.NewInmemSink(time.Hour, time.Hour), true, 1}} {
		p := New(c.own, nil)
		p.discarded = func() bool { return c.discarded }
		if p.Offer(&Figures{}); len(p.offered) != c.want {
			t.Errorf("own sink %v, discarded %v: %d figures offered, want %d", c.own != nil, c.discarded, len(p.offered), c.want)
		}
	}
}

func TestSinkOfOnesOwnTakesTheFiguresInsteadOfTheProcess(t *testing.T) {
	global, own := metrics.NewInmemSink(time.Hour, 24*time.Hour), metrics.NewInmemSink(time.Hour, 24*time.Hour)
	if _, err := metrics.NewGlobal(metrics.DefaultConfig(""), global); err != nil {
		t.Fatal(err)
	}
	New(own, nil).publish(&Figures{Core: stats.Stats{Traffic: stats.Traffic{SentBytes: 7}, Gauges: stats.Gauges{Members: 1}}})
	if got := own.Data()[0].Counters["gwyh.udp.sent"]; got.AggregateSample == nil || got.Sum != 7 {
		t.Errorf("own: %+v", got.AggregateSample)
	}
	for name := range global.Data()[0].Counters {
		if strings.Contains(name, "gwyh") {
			t.Errorf("the process has %s", name)
		}
	}
}

func TestEveryMetricIsDocumentedInTheWordsOfItsHelp(t *testing.T) {
	doc, err := os.ReadFile("../../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `gwyh\\.([a-zA-Z_.]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(string(doc), -1) {
		documented[m[1]] = strings.ReplaceAll(m[2], "`", "")
	}
	published := map[string]bool{}
	note := func(key string) { published[key] = true }
	f := &Figures{Shell: Shell{SlowestDelivery: 1, QueueDue: true}}
	counters(f, func(_ uint64, key string, _ metrics.Label) { note(key) })
	gauges(f, func(_ float64, key string, _ metrics.Label) { note(key) })
	samples(f, func(_ float64, key string) { note(key) })
	note(propagation)
	for key := range published {
		if documented[key] != notions[key].help {
			t.Errorf("gwyh.%s is documented as %q, and its help is %q", key, documented[key], notions[key].help)
		}
		if notions[key].help == "" {
			t.Errorf("gwyh.%s has no help", key)
		}
	}
	for key := range documented {
		if !published[key] {
			t.Errorf("gwyh.%s is documented and not published", key)
		}
	}
}

func TestMetricsAreTheCountersGaugesAndQueues(t *testing.T) {
	s := stats.Stats{Traffic: stats.Traffic{SentBytes: 7}, Gauges: stats.Gauges{Members: 3, Queued: 5}}
	s.Dropped[stats.DropForged] = 2
	found := map[string]float64{}
	for _, m := range (&Figures{Core: s}).Metrics() {
		found[string(m.Kind)+" "+m.Name+" "+m.LabelValue+m.Unit] = m.Value
	}
	for key, want := range map[string]float64{"counter udp.sent By": 7, "gauge members ": 3, "gauge queue.broadcasts ": 5, "counter dropped forged": 2} {
		if got, ok := found[key]; !ok || got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

func TestPropagationIsAHistogramByZone(t *testing.T) {
	z := beacon.Zone{Name: "north", Count: 3, Sum: 1500 * time.Millisecond}
	z.Buckets[0], z.Buckets[len(beacon.Bounds)] = 2, 1
	for _, m := range (&Figures{Propagation: []beacon.Zone{z}}).Metrics() {
		if m.Kind != status.Histogram {
			continue
		}
		if m.Name != "propagation" || m.LabelValue != "north" {
			t.Errorf("name %s with the label %s", m.Name, m.LabelValue)
		}
		if m.Count != 3 || m.Value != 1.5 {
			t.Errorf("%d delays with the sum %v, want 3 and 1.5", m.Count, m.Value)
		}
		if m.Unit != "s" {
			t.Errorf("unit %s", m.Unit)
		}
		first, last := m.Buckets[0], m.Buckets[len(m.Buckets)-1]
		if first != (status.Bucket{Bound: 0.001, Count: 2}) || last.Count != 1 || !math.IsInf(last.Bound, 1) {
			t.Errorf("%+v", m.Buckets)
		}
		return
	}
	t.Error("there is no histogram")
}

func TestEachPropagationTimeIsPublishedOnce(t *testing.T) {
	sink := metrics.NewInmemSink(time.Hour, 24*time.Hour)
	p := New(sink, nil)
	z := beacon.Zone{Name: "north"}
	add := func(ms ...int) {
		for _, n := range ms {
			z.Count++
			z.Recent = append(z.Recent, time.Duration(n)*time.Millisecond)
		}
		z.Recent = z.Recent[max(0, len(z.Recent)-3):]
		p.publish(&Figures{Propagation: []beacon.Zone{z}})
	}
	count := func() int {
		s := sink.Data()[0].Samples["gwyh.propagation;zone=north"]
		if s.AggregateSample == nil {
			return 0
		}
		return s.Count
	}
	for _, step := range []struct {
		add  []int
		want int
	}{
		{nil, 0}, {[]int{1, 2}, 2}, {nil, 2}, {[]int{3}, 3},
		{[]int{4, 5, 6, 7, 8}, 6}, // the figures have the last three only
	} {
		if add(step.add...); count() != step.want {
			t.Errorf("%v: %d published, want %d", step.add, count(), step.want)
		}
	}
	z = beacon.Zone{Name: "north"} // the zone was silent and lost its figures
	if add(9); count() != 7 {
		t.Errorf("%d published", count())
	}
}

func TestDocumentExplainsEveryReasonOfADrop(t *testing.T) {
	doc, err := os.ReadFile("../../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "## Reasons of drops")
	table, _, _ = strings.Cut(table, "\n## ")
	var f Figures
	count := 0
	f.Drops(func(_ uint64, reason string) {
		count++
		if !strings.Contains(table, "`"+reason+"`") {
			t.Errorf("docs/METRICS.md does not explain %s", reason)
		}
	})
	if got := strings.Count(table, "`") / 2; got != count {
		t.Errorf("docs/METRICS.md has %d reasons, the library %d", got, count)
	}
}
