// Package gwyhotel exports the metrics of a node to OpenTelemetry:
//
//	registration, err := gwyhotel.Register(list, otel.Meter("example.com/service"))
//
// where list is the Memberlist. It reads the node when a reader of the program's MeterProvider collects. The names
// are those of docs/METRICS.md. OpenTelemetry's Prometheus exporter turns them into the names of package gwyhprom.
// Histograms come from a Producer, because OpenTelemetry has no observable histograms.
package gwyhotel

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/gwyh-go/gwyh/status"
)

// A Node is the source of the metrics. *gwyh.Memberlist is one.
type Node interface {
	Metrics() []status.Metric
	Status() status.Status
}

// Register creates an instrument for each metric of the node and observes them together. After the node's Shutdown
// the instruments report nothing. Unregister removes the node earlier. For several nodes in one process use Meters
// with different attributes, or MeterProviders with different resources.
func Register(node Node, meter metric.Meter) (metric.Registration, error) {
	all := node.Metrics()
	if len(all) == 0 {
		return nil, errors.New("gwyhotel: the node is shut down")
	}
	b := &bridge{node: node, instruments: map[string]metric.Int64Observable{}}
	var observed []metric.Observable
	for i := range all {
		m := &all[i]
		if b.instruments[m.Name] != nil || m.Kind == status.Histogram {
			continue // another label of the same metric, or a metric of the Producer
		}
		instrument, err := make64(meter, m)
		if err != nil {
			return nil, fmt.Errorf("gwyhotel: make the instrument gwyh.%s: %w", m.Name, err)
		}
		b.instruments[m.Name] = instrument
		observed = append(observed, instrument)
	}
	var err error
	if b.warnings, err = meter.Int64ObservableGauge("gwyh.warning", metric.WithDescription("warnings in force, by code")); err != nil {
		return nil, fmt.Errorf("gwyhotel: make the instrument gwyh.warning: %w", err)
	}
	if b.suspicions, err = meter.Int64ObservableGauge("gwyh.suspicions",
		metric.WithDescription("live members that are suspected to have failed")); err != nil {
		return nil, fmt.Errorf("gwyhotel: make the instrument gwyh.suspicions: %w", err)
	}
	return meter.RegisterCallback(b.observe, append(observed, b.warnings, b.suspicions)...)
}

// make64 creates the instrument of a metric.
func make64(meter metric.Meter, m *status.Metric) (metric.Int64Observable, error) {
	if m.Kind == status.Counter {
		return meter.Int64ObservableCounter("gwyh."+m.Name, metric.WithDescription(m.Help), metric.WithUnit(m.Unit))
	}
	return meter.Int64ObservableGauge("gwyh."+m.Name, metric.WithDescription(m.Help), metric.WithUnit(m.Unit))
}

// A bridge observes the instruments of one node. It is immutable.
type bridge struct {
	node        Node
	instruments map[string]metric.Int64Observable // by status.Metric.Name
	warnings    metric.Int64ObservableGauge
	suspicions  metric.Int64ObservableGauge
}

// observe reads the node once for all instruments.
func (b *bridge) observe(_ context.Context, o metric.Observer) error {
	all := b.node.Metrics()
	if len(all) == 0 {
		return nil // the node was shut down
	}
	for i := range all {
		m := &all[i]
		instrument := b.instruments[m.Name]
		if instrument == nil {
			continue
		}
		if m.Label == "" {
			o.ObserveInt64(instrument, int64(m.Value))
		} else {
			o.ObserveInt64(instrument, int64(m.Value), metric.WithAttributes(attribute.String(m.Label, m.LabelValue)))
		}
	}
	s := b.node.Status()
	codes := map[status.Code]int64{}
	for i := range s.Warnings {
		codes[s.Warnings[i].Code]++
	}
	for _, code := range status.Codes {
		o.ObserveInt64(b.warnings, codes[code], metric.WithAttributes(attribute.String("code", string(code))))
	}
	o.ObserveInt64(b.suspicions, int64(len(s.Suspicions)))
	return nil
}
