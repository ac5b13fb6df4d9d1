package telemetry

import (
	"testing"
	"time"

	"github.com/armon/go-metrics"

	"github.com/gwyh-go/gwyh/internal/gossip"
)

func TestDifferencesAndGaugesArePublishedOnceAnInterval(t *testing.T) {
	sink := metrics.NewInmemSink(time.Hour, 24*time.Hour)
	config := metrics.DefaultConfig("")
	config.EnableHostname, config.EnableRuntimeMetrics = false, false
	if _, err := metrics.NewGlobal(config, sink); err != nil {
		t.Fatal(err)
	}
	s := gossip.Stats{SentDatagrams: 10, BroadcastsDelivered: 4, Members: 3}
	s.Dropped[gossip.DropForged] = 2
	core := func() gossip.Stats { return s }
	shell := func() Shell { return Shell{SlowestDelivery: 3 * time.Millisecond} }
	p := New([]metrics.Label{{Name: "cluster", Value: "blue"}})
	now := time.Unix(1000, 0)
	next := p.Publish(now, core, shell)
	if next != now.Add(Interval) {
		t.Errorf("next at %v", next)
	}
	s.SentDatagrams = 100
	p.Publish(now.Add(Interval/2), core, shell) // too early
	s.SentDatagrams = 25
	p.Publish(next, core, shell)

	data := sink.Data()[0]
	for name, want := range map[string]float64{
		"gwyh.udp.sent.datagrams;cluster=blue":        25,
		"gwyh.broadcast.received;cluster=blue":        4,
		"gwyh.decrypt.failed;cluster=blue":            2,
		"gwyh.dropped;cluster=blue;reason=forged":     2,
		"gwyh.dropped;cluster=blue;reason=inbox_full": 0,
	} {
		if got := data.Counters[name]; want == 0 && got.AggregateSample != nil || want > 0 && (got.AggregateSample == nil || got.Sum != want) {
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
