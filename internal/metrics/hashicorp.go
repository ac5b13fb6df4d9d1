//go:build hashicorpmetrics

package metrics

import (
	"time"

	"github.com/hashicorp/go-metrics"
)

type (
	// Label is a label of a metric.
	Label = metrics.Label
	// MetricSink receives metrics.
	MetricSink = metrics.MetricSink
	// Metrics is the object through which a process publishes metrics.
	Metrics = metrics.Metrics
	// InmemSink keeps the metrics that it receives in memory.
	InmemSink = metrics.InmemSink
	// Config is the configuration of Metrics.
	Config = metrics.Config
)

// Default returns the Metrics of the process.
func Default() *Metrics { return metrics.Default() }

// initial discards all metrics.
var initial = metrics.Default()

// Discarded reports whether the process has not created its Metrics yet.
func Discarded() bool { return metrics.Default() == initial }

// NewGlobal creates the Metrics of the process.
func NewGlobal(c *Config, sink MetricSink) (*Metrics, error) { return metrics.NewGlobal(c, sink) }

// DefaultConfig returns the default configuration for a service name.
func DefaultConfig(name string) *Config { return metrics.DefaultConfig(name) }

// NewInmemSink returns a sink that aggregates metrics by interval and keeps them for the time retain.
func NewInmemSink(interval, retain time.Duration) *InmemSink {
	return metrics.NewInmemSink(interval, retain)
}
