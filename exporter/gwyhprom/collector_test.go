package gwyhprom_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/exporter/gwyhprom"
	"github.com/gwyh-go/gwyh/status"
)

// start starts a node on an in-memory network.
func start(t *testing.T, network *gwyh.MockNetwork, name, key string) *gwyh.Memberlist {
	t.Helper()
	config := gwyh.DefaultLANConfig()
	config.Name, config.Zone, config.Transport = name, "cellar", network.NewTransport(name)
	config.SecretKey, config.LogHandler = []byte(key), slog.DiscardHandler
	list, err := gwyh.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	return list
}

const strong = "a key that only these tests have"

// registry returns a registry with a Collector of the node.
func registry(node gwyhprom.Node, options gwyhprom.Options) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(gwyhprom.New(node, options))
	return r
}

// series returns the value of each series, by "name{label=value,...}".
func series(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

func TestClusterIsSeenInTheMetricsOfANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(gwyh.MockNetwork)
		ann, bob := start(t, network, "ann", strong), start(t, network, "bob", strong)
		if _, err := bob.Join([]string{ann.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		if err := ann.Broadcast([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		all, stats := series(t, registry(ann, gwyhprom.Options{Links: true})), ann.Stats()
		for name, want := range map[string]float64{
			"gwyh_members{}":                                2,
			"gwyh_links{}":                                  1,
			"gwyh_broadcast_sent_total{}":                   1,
			"gwyh_udp_sent_bytes_total{}":                   float64(stats.BytesSent),
			"gwyh_node_instances{node_state=alive}":         2,
			"gwyh_dropped_total{reason=forged}":             0,
			"gwyh_handshake_total{outcome=accepted}":        1,
			"gwyh_warning{code=weak-key}":                   0,
			"gwyh_suspicions{}":                             0,
			"gwyh_default_key{}":                            0,
			"gwyh_link_mtu_bytes{neighbor=bob,zone=cellar}": 1200,
		} {
			if got, ok := all[name]; !ok || got != want {
				t.Errorf("%s is %v (%v), want %v", name, got, ok, want)
			}
		}
	})
}

func TestWarningsHaveASeriesEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := series(t, registry(start(t, new(gwyh.MockNetwork), "ann", "hunter2"), gwyhprom.Options{}))
		if got := all["gwyh_warning{code=weak-key}"]; got != 1 {
			t.Errorf("weak-key is %v, want 1", got)
		}
		for name := range all {
			if strings.HasPrefix(name, "gwyh_link_") && strings.Contains(name, "neighbor") {
				t.Errorf("%s is shown although Links is false", name)
			}
		}
	})
}

func TestNamesAndHelpKeepTheConventionsOfPrometheus(t *testing.T) {
	problems, err := testutil.GatherAndLint(registry(crowd{}, gwyhprom.Options{Links: true}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// crowd is a node whose neighbors have names that it did not choose.
type crowd struct{}

func (crowd) Metrics() []status.Metric {
	return []status.Metric{
		{Name: "udp.sent", Kind: status.Counter, Unit: "By", Help: "bytes sent", Value: 1},
		{Name: "dropped", Kind: status.Counter, Help: "dropped, by reason", Label: "reason", LabelValue: "forged", Value: 1},
		{Name: "members", Kind: status.Gauge, Help: "members", Value: 1},
	}
}

func (crowd) Status() status.Status {
	return status.Status{Links: []status.Link{
		{Node: status.Node{Name: "ann", ID: "1"}, MTU: 1},
		{Node: status.Node{Name: "ann", ID: "2"}, MTU: 2},
		{Node: status.Node{Name: "\xff\"}\n", Zone: "\xfe"}, MTU: 3},
		{Node: status.Node{ID: "nameless"}, MTU: 4},
	}}
}

func TestNamesThatOthersChoseDoNotSpoilTheMetrics(t *testing.T) {
	all := series(t, registry(crowd{}, gwyhprom.Options{Links: true}))
	for name, want := range map[string]float64{
		"gwyh_link_mtu_bytes{neighbor=ann,zone=}":      1,
		"gwyh_link_mtu_bytes{neighbor=?\"}\n,zone=?}":  3,
		"gwyh_link_mtu_bytes{neighbor=nameless,zone=}": 4,
	} {
		if got := all[name]; got != want {
			t.Errorf("%q is %v, want %v", name, got, want)
		}
	}
}

func TestNothingIsShownAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := start(t, new(gwyh.MockNetwork), "ann", strong)
		_ = ann.Shutdown()
		if all := series(t, registry(ann, gwyhprom.Options{Links: true})); len(all) > 0 {
			t.Errorf("shown: %v", all)
		}
	})
}

// docs/METRICS.md lists the metrics that only the Prometheus exporter has.
func TestMetricsOfPrometheusAloneAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range series(t, registry(crowd{}, gwyhprom.Options{Links: true})) {
		name, _, _ = strings.Cut(name, "{")
		derived := name == "gwyh_udp_sent_bytes_total" || name == "gwyh_dropped_total" || name == "gwyh_members"
		if !derived && !strings.Contains(string(doc), "| `"+name) {
			t.Errorf("%s is not documented", name)
		}
	}
}
