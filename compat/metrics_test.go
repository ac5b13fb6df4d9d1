package compat

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	armon "github.com/armon/go-metrics"
	hashicorp "github.com/hashicorp/go-metrics"

	metrics "github.com/gwyh-go/gwyh/compat/gometrics"
	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// counted reports whether a sink received a counter with a name and a label.
func counted(sink *metrics.InmemSink, name, label string) bool {
	for _, interval := range sink.Data() {
		interval.RLock()
		for _, c := range interval.Counters {
			if c.Name == name && len(c.Labels) == 1 && c.Labels[0].Name+"="+c.Labels[0].Value == label {
				interval.RUnlock()
				return true
			}
		}
		interval.RUnlock()
	}
	return false
}

func TestMetricsGoToTheSinkOfTheProcessWithTheirLabels(t *testing.T) {
	sink := metrics.NewInmemSink(time.Minute, time.Hour)
	conf := metrics.DefaultConfig("")
	conf.EnableHostname, conf.EnableRuntimeMetrics = false, false
	if _, err := metrics.NewGlobal(conf, sink); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = metrics.NewGlobal(conf, &metrics.BlackholeSink{}) })
	labeled := func(c *memberlist.Config) { c.MetricLabels = []metrics.Label{{Name: "cluster", Value: "blue"}} }
	a, b := loopback(t, "a", labeled), loopback(t, "b", labeled)
	if reached, err := b.Join([]string{a.LocalNode().Address()}); reached != 1 || err != nil {
		t.Fatal(reached, err)
	}
	prefix := differs(t, "metrics-prefix", "memberlist", "gwyh")
	for _, name := range []string{"udp.sent", "udp.received"} {
		await(t, strings.Join([]string{prefix, name}, "."), func() bool { return counted(sink, prefix+"."+name, "cluster=blue") })
	}
}

// armonSink and hashicorpSink count the counters that they receive.
type (
	armonSink struct {
		armon.BlackholeSink
		taken atomic.Int64
	}
	hashicorpSink struct {
		hashicorp.BlackholeSink
		taken atomic.Int64
	}
)

func (s *armonSink) IncrCounterWithLabels([]string, float32, []armon.Label)         { s.taken.Add(1) }
func (s *hashicorpSink) IncrCounterWithLabels([]string, float32, []hashicorp.Label) { s.taken.Add(1) }

// docs/METRICS.md says that a program without metrics may have configured the other go-metrics.
func TestMetricsGoToTheGoMetricsOfTheBuildTagAndToNoOther(t *testing.T) {
	var a armonSink
	var h hashicorpSink
	toArmon, toHashicorp := armon.DefaultConfig(""), hashicorp.DefaultConfig("")
	toArmon.EnableRuntimeMetrics, toHashicorp.EnableRuntimeMetrics = false, false
	_, errA := armon.NewGlobal(toArmon, &a)
	_, errH := hashicorp.NewGlobal(toHashicorp, &h)
	if errA != nil || errH != nil {
		t.Fatal(errA, errH)
	}
	t.Cleanup(func() {
		_, _ = armon.NewGlobal(toArmon, &armon.BlackholeSink{})
		_, _ = hashicorp.NewGlobal(toHashicorp, &hashicorp.BlackholeSink{})
	})
	labeled := func(c *memberlist.Config) { c.MetricLabels = []metrics.Label{{Name: "cluster", Value: "blue"}} }
	m, n := loopback(t, "a", labeled), loopback(t, "b", labeled)
	if reached, err := n.Join([]string{m.LocalNode().Address()}); reached != 1 || err != nil {
		t.Fatal(reached, err)
	}
	used, other := &a.taken, &h.taken
	if metrics.Library == "hashicorp" {
		used, other = other, used
	}
	await(t, "metrics of "+metrics.Library, func() bool { return used.Load() > 0 })
	same(t, "taken by the other", other.Load(), int64(0))
}
