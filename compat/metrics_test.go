package compat

import (
	"strings"
	"testing"
	"time"

	"github.com/armon/go-metrics"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// counted reports whether a counter of a name was told, with a label.
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
	labelled := func(c *memberlist.Config) { c.MetricLabels = []metrics.Label{{Name: "cluster", Value: "blue"}} }
	a, b := loopback(t, "a", labelled), loopback(t, "b", labelled)
	if reached, err := b.Join([]string{a.LocalNode().Address()}); reached != 1 || err != nil {
		t.Fatal(reached, err)
	}
	prefix := differs(t, "metrics-prefix", "memberlist", "gwyh")
	for _, name := range []string{"udp.sent", "udp.received"} {
		await(t, strings.Join([]string{prefix, name}, "."), func() bool { return counted(sink, prefix+"."+name, "cluster=blue") })
	}
}
