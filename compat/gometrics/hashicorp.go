//go:build hashicorpmetrics

package gometrics

import x "github.com/hashicorp/go-metrics"

// Library is whose go-metrics it is.
const Library = "hashicorp"

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
