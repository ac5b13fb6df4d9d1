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

// histogram returns the data points of gwyh.propagation, or nil if the reader collects none.
func histogram(t *testing.T, reader metric.Reader) []metricdata.HistogramDataPoint[float64] {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "gwyh.propagation" && m.Unit == "s" {
				return h.DataPoints
			}
		}
	}
	return nil
}

func TestProducerHasThePropagationTimesOfBeacons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		var lists []*gwyh.Memberlist
		for _, name := range []string{"ann", "bob"} {
			config := gwyh.DefaultLANConfig()
			config.Name, config.Transport, config.LogHandler = name, network.NewTransport(name), slog.DiscardHandler
			config.SecretKey, config.Zone, config.BeaconInterval = []byte("hunter2"), "attic", time.Second
			list, err := gwyh.Create(config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = list.Shutdown() })
			lists = append(lists, list)
		}
		reader := metric.NewManualReader(metric.WithProducer(gwyhotel.NewProducer(lists[0])))
		provider := metric.NewMeterProvider(metric.WithReader(reader))
		if _, err := gwyhotel.Register(lists[0], provider.Meter("test")); err != nil {
			t.Fatal(err)
		}
		if points := histogram(t, reader); points != nil {
			t.Errorf("before the first beacon: %+v", points)
		}
		if _, err := lists[1].Join([]string{lists[0].LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		points := histogram(t, reader)
		if len(points) != 1 || points[0].Count < 10 || len(points[0].BucketCounts) != len(points[0].Bounds)+1 {
			t.Fatalf("%+v", points)
		}
		if zone, _ := points[0].Attributes.Value("zone"); zone.AsString() != "attic" {
			t.Errorf("zone %q", zone.AsString())
		}
		var sum uint64
		for _, n := range points[0].BucketCounts {
			sum += n
		}
		if sum != points[0].Count {
			t.Errorf("%d in buckets of %d", sum, points[0].Count)
		}
		for _, l := range lists {
			_ = l.Shutdown()
		}
		if points := histogram(t, reader); points != nil {
			t.Errorf("after Shutdown: %+v", points)
		}
	})
}
