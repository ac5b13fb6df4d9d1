//go:build !hashicorpmetrics

// Package metrics is the go-metrics that a program is built with, github.com/armon/go-metrics, or with the build
// tag hashicorpmetrics github.com/hashicorp/go-metrics. memberlist v0.6 has the same choice by the same tag, and
// v0.7 the latter only: their types are in its API, and in ours.
package metrics

import (
	"time"

	"github.com/armon/go-metrics"
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
