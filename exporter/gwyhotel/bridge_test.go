package gwyhotel_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/exporter/gwyhotel"
)

// start starts a node on an in-memory network, with a weak key.
func start(t *testing.T, network *gwyh.MockNetwork, name string) *gwyh.Memberlist {
	t.Helper()
	config := gwyh.DefaultLANConfig()
	config.Name, config.Transport = name, network.NewTransport(name)
	config.SecretKey, config.LogHandler = []byte("hunter2"), slog.DiscardHandler
	list, err := gwyh.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	return list
}

// A point is one collected value.
type point struct {
	value   int64
	counter bool
	unit    string
}

// collect returns the points that a reader collects, by name and attribute value.
func collect(t *testing.T, reader metric.Reader) map[string]point {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	points := map[string]point{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			add := func(data []metricdata.DataPoint[int64], counter bool) {
				for _, d := range data {
					name := m.Name
					for _, a := range d.Attributes.ToSlice() {
						name += " " + string(a.Key) + "=" + a.Value.AsString()
					}
					points[name] = point{d.Value, counter, m.Unit}
				}
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				add(data.DataPoints, data.IsMonotonic)
			case metricdata.Gauge[int64]:
				add(data.DataPoints, false)
			default:
				t.Errorf("%s is a %T", m.Name, m.Data)
			}
		}
	}
	return points
}

func TestReaderCollectsTheMetricsOfANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		ann, bob := start(t, network, "ann"), start(t, network, "bob")
		reader := metric.NewManualReader()
		provider := metric.NewMeterProvider(metric.WithReader(reader))
		if _, err := gwyhotel.Register(ann, provider.Meter("test")); err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Join([]string{ann.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		got := collect(t, reader)
		for name, want := range map[string]point{
			"gwyh.members":                         {2, false, ""},
			"gwyh.udp.sent":                        {int64(ann.Stats().BytesSent), true, "By"},
			"gwyh.handshake outcome=accepted":      {1, true, ""},
			"gwyh.dropped reason=forged":           {0, true, ""},
			"gwyh.node.instances node_state=alive": {2, false, ""},
			"gwyh.warning code=weak-key":           {1, false, ""},
			"gwyh.warning code=clock":              {0, false, ""},
			"gwyh.suspicions":                      {0, false, ""},
		} {
			if p, ok := got[name]; !ok || p != want {
				t.Errorf("%s is %+v (%v), want %+v", name, p, ok, want)
			}
		}
		for _, m := range ann.Metrics() {
			name := "gwyh." + m.Name
			if m.Label != "" {
				name += " " + m.Label + "=" + m.LabelValue
			}
			if _, ok := got[name]; !ok {
				t.Errorf("%s was not collected", name)
			}
		}
	})
}

func TestNothingIsCollectedAfterUnregisterOrShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		ann, bob := start(t, network, "ann"), start(t, network, "bob")
		for name, end := range map[string]func(*gwyh.Memberlist, interface{ Unregister() error }) error{
			"unregister": func(_ *gwyh.Memberlist, r interface{ Unregister() error }) error { return r.Unregister() },
			"shutdown":   func(list *gwyh.Memberlist, _ interface{ Unregister() error }) error { return list.Shutdown() },
		} {
			list := ann
			if name == "shutdown" {
				list = bob
			}
			reader := metric.NewManualReader()
			registration, err := gwyhotel.Register(list, metric.NewMeterProvider(metric.WithReader(reader)).Meter("test"))
			if err != nil {
				t.Fatal(err)
			}
			if err := end(list, registration); err != nil {
				t.Fatal(err)
			}
			if got := collect(t, reader); len(got) > 0 {
				t.Errorf("after %s: %v", name, got)
			}
		}
		if _, err := gwyhotel.Register(bob, metric.NewMeterProvider().Meter("test")); err == nil {
			t.Error("a node that was shut down was registered")
		}
	})
}
