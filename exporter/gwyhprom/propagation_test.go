package gwyhprom_test

import (
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/exporter/gwyhprom"
	"github.com/gwyh-go/gwyh/status"
)

func TestPropagationOfBeaconsIsAHistogram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		ann := start(t, network, "ann", strong)
		config := gwyh.DefaultLANConfig()
		config.Name, config.Zone, config.Transport, config.BeaconInterval = "bob", "attic", network.NewTransport("bob"), time.Second
		config.SecretKey, config.LogHandler = []byte(strong), slog.DiscardHandler
		bob, err := gwyh.Create(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = bob.Shutdown() })
		if _, err := bob.Join([]string{ann.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		families, err := registry(ann, gwyhprom.Options{}).Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != "gwyh_propagation_seconds" {
				continue
			}
			h, zone := f.GetMetric()[0].GetHistogram(), f.GetMetric()[0].GetLabel()[0]
			if h.GetSampleCount() < 10 || zone.GetName() != "zone" || zone.GetValue() != "attic" {
				t.Errorf("%v", f)
			}
			return
		}
		t.Error("there is no histogram")
	})
}

// fixed is a node with one histogram.
type fixed struct{ m status.Metric }

func (f fixed) Metrics() []status.Metric { return []status.Metric{f.m} }
func (f fixed) Status() status.Status    { return status.Status{} }

func TestBucketsOfAHistogramAreCumulative(t *testing.T) {
	m := status.Metric{Name: "propagation", Kind: status.Histogram, Unit: "s", Help: "how long beacons took", Label: "zone", LabelValue: "attic",
		Value: 7.5, Count: 6, Buckets: []status.Bucket{{Bound: 0.1, Count: 3}, {Bound: 1, Count: 2}, {Bound: math.Inf(1), Count: 1}}}
	const want = `# HELP gwyh_propagation_seconds How long beacons took.
# TYPE gwyh_propagation_seconds histogram
gwyh_propagation_seconds_bucket{zone="attic",le="0.1"} 3
gwyh_propagation_seconds_bucket{zone="attic",le="1"} 5
gwyh_propagation_seconds_bucket{zone="attic",le="+Inf"} 6
gwyh_propagation_seconds_sum{zone="attic"} 7.5
gwyh_propagation_seconds_count{zone="attic"} 6
`
	if err := testutil.CollectAndCompare(gwyhprom.New(fixed{m}, gwyhprom.Options{}), strings.NewReader(want), "gwyh_propagation_seconds"); err != nil {
		t.Error(err)
	}
}
