//go:build !hashicorpmetrics

package gwyh_test

import (
	"fmt"
	"strings"

	"github.com/armon/go-metrics"

	"github.com/gwyh-go/gwyh"
)

// members is a sink of go-metrics that uses a single gauge.
type members struct {
	metrics.BlackholeSink
	values chan float32
}

func (m *members) SetGaugeWithLabels(key []string, value float32, labels []metrics.Label) {
	if strings.Join(key, ".") != "gwyh.members" {
		return
	}
	select {
	case m.values <- value:
	default:
	}
}

// Config.Metrics is a sink of go-metrics for one node. For Prometheus and OpenTelemetry exporters, see docs/METRICS.md.
func ExampleConfig_metrics() {
	sink := &members{values: make(chan float32, 1)}
	a := start(new(gwyh.MockNetwork), "ann", func(c *gwyh.Config) { c.Metrics = sink })
	defer a.Shutdown()
	fmt.Println("members:", <-sink.values) // published once per second
	// Output: members: 1
}
