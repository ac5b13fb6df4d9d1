//go:build hashicorpmetrics

package metrics

import (
	"time"

	"github.com/hashicorp/go-metrics"
)

type (
	// Label is a label of a metric.
	Label = metrics.Label
	// MetricSink takes metrics.
	MetricSink = metrics.MetricSink
	// Metrics is what a process publishes through.
	Metrics = metrics.Metrics
	// InmemSink keeps what it takes.
	InmemSink = metrics.InmemSink
	// Config says how metrics are published.
	Config = metrics.Config
)

// Default is what the process publishes through.
func Default() *Metrics { return metrics.Default() }

// NewGlobal makes what the process publishes through.
func NewGlobal(c *Config, sink MetricSink) (*Metrics, error) { return metrics.NewGlobal(c, sink) }

// DefaultConfig is how metrics are published under a name.
func DefaultConfig(name string) *Config { return metrics.DefaultConfig(name) }

// NewInmemSink keeps metrics by interval.
func NewInmemSink(interval, retain time.Duration) *InmemSink {
	return metrics.NewInmemSink(interval, retain)
}
