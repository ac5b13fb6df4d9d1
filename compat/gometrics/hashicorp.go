//go:build hashicorpmetrics

package gometrics

import x "github.com/hashicorp/go-metrics"

// Library is the owner of the go-metrics package.
const Library = "hashicorp"

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
