package gwyhotel

import (
	"context"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/gwyh-go/gwyh/status"
)

// A Producer produces the histograms of a node, which are gwyh.propagation if nodes send beacons. Pass it to a reader
// with metric.WithProducer.
type Producer struct {
	node  Node
	start time.Time
}

var _ metric.Producer = (*Producer)(nil)

// NewProducer returns a Producer of node. After the node's Shutdown it produces nothing.
func NewProducer(node Node) *Producer { return &Producer{node, time.Now()} }

// Produce reads the node once. The histograms are cumulative. It never fails.
func (p *Producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	now := time.Now()
	var found []metricdata.Metrics // one for each name
	for _, m := range p.node.Metrics() {
		if m.Kind != status.Histogram {
			continue
		}
		if n := len(found); n == 0 || found[n-1].Name != "gwyh."+m.Name {
			found = append(found, metricdata.Metrics{Name: "gwyh." + m.Name, Description: m.Help, Unit: m.Unit})
		}
		last := &found[len(found)-1]
		h, _ := last.Data.(metricdata.Histogram[float64])
		h.Temporality = metricdata.CumulativeTemporality
		h.DataPoints = append(h.DataPoints, p.point(now, &m))
		last.Data = h
	}
	if len(found) == 0 {
		return nil, nil
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: "github.com/gwyh-go/gwyh/exporter/gwyhotel"}, Metrics: found}}, nil
}

func (p *Producer) point(now time.Time, m *status.Metric) metricdata.HistogramDataPoint[float64] {
	d := metricdata.HistogramDataPoint[float64]{Attributes: attribute.NewSet(attribute.String(m.Label, m.LabelValue)),
		StartTime: p.start, Time: now, Count: m.Count, Sum: m.Value}
	for _, b := range m.Buckets {
		if d.BucketCounts = append(d.BucketCounts, b.Count); !math.IsInf(b.Bound, 1) {
			d.Bounds = append(d.Bounds, b.Bound)
		}
	}
	return d
}
