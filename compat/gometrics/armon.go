//go:build !hashicorpmetrics

// Package gometrics is the go-metrics of the library under test: hashicorp/go-metrics with the build tag
// hashicorpmetrics, otherwise armon/go-metrics. memberlist v0.6 and gwyh use the same tag. memberlist v0.7 supports
// only hashicorp/go-metrics, so the suite needs the tag for it.
package gometrics

import x "github.com/armon/go-metrics"

// Library is the owner of the go-metrics package.
const Library = "armon"

// Functions of go-metrics.
var (
	DefaultConfig = x.DefaultConfig
	NewGlobal     = x.NewGlobal
	NewInmemSink  = x.NewInmemSink
)

// Types of go-metrics.
type (
	BlackholeSink = x.BlackholeSink
	InmemSink     = x.InmemSink
	Label         = x.Label
)
