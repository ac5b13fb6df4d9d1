//go:build !hashicorpmetrics

// Package gometrics is the go-metrics that the library under test publishes through: hashicorp/go-metrics with
// the build tag hashicorpmetrics, and armon/go-metrics without it. memberlist v0.6 and gwyh go by the same
// tag; memberlist v0.7 has hashicorp/go-metrics only, so the suite runs against it with the tag.
package gometrics

import x "github.com/armon/go-metrics"

// Library is whose go-metrics it is.
const Library = "armon"

// Of the functions.
var (
	DefaultConfig = x.DefaultConfig
	NewGlobal     = x.NewGlobal
	NewInmemSink  = x.NewInmemSink
)

// Of the types.
type (
	BlackholeSink = x.BlackholeSink
	InmemSink     = x.InmemSink
	Label         = x.Label
)
