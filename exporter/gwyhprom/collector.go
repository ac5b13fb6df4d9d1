// Package gwyhprom exports the metrics of a node to Prometheus:
//
//	registry.MustRegister(gwyhprom.New(list, gwyhprom.Options{}))
//
// where list is the Memberlist. It reads the node when Prometheus scrapes, so it needs no goroutine and no
// configuration of the node. Names follow docs/METRICS.md: "gwyh.udp.sent" is gwyh_udp_sent_bytes_total here.
package gwyhprom

import (
	"cmp"
	"math"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gwyh-go/gwyh/status"
)

// A Node is the source of the metrics. *gwyh.Memberlist is one.
type Node interface {
	Metrics() []status.Metric
	Status() status.Status
}

// Options select what a Collector exports. The zero value suits most programs.
type Options struct {
	// Links adds the metrics of each link, such as gwyh_link_rtt_seconds, one series per neighbor with the labels
	// neighbor and zone. A node has about twice Config.Subscriptions neighbors at a time, but many different ones
	// over days, and Prometheus keeps all series. Default: false.
	Links bool
}

// A Collector exports one node. Several in one process need different labels: see prometheus.WrapRegistererWith.
type Collector struct {
	node    Node
	options Options
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a Collector of node. After the node's Shutdown it exports nothing.
func New(node Node, options Options) *Collector { return &Collector{node, options} }

// Describe sends no descriptions, because the version of the library decides which metrics exist. Registering
// therefore does not detect metrics of the same name; collecting does.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the node once for all counters and gauges, and once for warnings, suspicions and links.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	all := c.node.Metrics()
	if len(all) == 0 {
		return // the node was shut down
	}
	for i := range all {
		ch <- convert(&all[i])
	}
	s := c.node.Status()
	for _, w := range status.Codes {
		ch <- prometheus.MustNewConstMetric(warning, prometheus.GaugeValue, float64(count(s.Warnings, w)), string(w))
	}
	ch <- prometheus.MustNewConstMetric(suspicions, prometheus.GaugeValue, float64(len(s.Suspicions)))
	if c.options.Links {
		collectLinks(ch, s.Links)
	}
}

// Name returns the Prometheus name of a metric of docs/METRICS.md.
func Name(m *status.Metric) string {
	name := "gwyh_" + strings.ReplaceAll(m.Name, ".", "_")
	switch m.Unit {
	case "By":
		name += "_bytes"
	case "s":
		name += "_seconds"
	}
	if m.Kind == status.Counter {
		name += "_total"
	}
	return name
}

func convert(m *status.Metric) prometheus.Metric {
	kind := prometheus.GaugeValue
	if m.Kind == status.Counter {
		kind = prometheus.CounterValue
	}
	var labels, values []string
	if m.Label != "" {
		labels, values = []string{m.Label}, []string{strings.ToValidUTF8(m.LabelValue, "?")}
	}
	desc := prometheus.NewDesc(Name(m), sentence(m.Help), labels, nil)
	if m.Kind != status.Histogram {
		return prometheus.MustNewConstMetric(desc, kind, m.Value, values...)
	}
	upTo, sum := make(map[float64]uint64, len(m.Buckets)), uint64(0)
	for _, b := range m.Buckets {
		sum += b.Count
		if !math.IsInf(b.Bound, 1) { // Prometheus adds that bucket itself
			upTo[b.Bound] = sum
		}
	}
	return prometheus.MustNewConstHistogram(desc, m.Count, m.Value, upTo, values...)
}

// sentence formats a help text as Prometheus does: with a capital letter and a period.
func sentence(help string) string {
	return strings.ToUpper(help[:1]) + help[1:] + "."
}

// count returns the number of warnings with a code.
func count(warnings []status.Warning, code status.Code) (n int) {
	for i := range warnings {
		if warnings[i].Code == code {
			n++
		}
	}
	return n
}

var (
	warning    = prometheus.NewDesc("gwyh_warning", "Warnings in force, by code: see docs/OPERATIONS.md.", []string{"code"}, nil)
	suspicions = prometheus.NewDesc("gwyh_suspicions", "Live members that are suspected to have failed.", nil, nil)
)

// linkLabels are the labels of the link metrics. A neighbor that is not a member is shown by its id.
var linkLabels = []string{"neighbor", "zone"}

// linkMetrics are the metrics of each link.
var linkMetrics = []struct {
	desc  *prometheus.Desc
	value func(*status.Link) float64
}{
	{linkDesc("rtt_seconds", "Last measured round trip to a neighbor; 0 if there was none."), func(l *status.Link) float64 { return l.RTT.Seconds() }},
	{linkDesc("loss_ratio", "Share of the bytes sent to a neighbor recently that did not arrive the first time."), func(l *status.Link) float64 { return l.Loss }},
	{linkDesc("backlog_bytes", "Bytes of small messages queued for a neighbor."), func(l *status.Link) float64 { return float64(l.Backlog) }},
	{linkDesc("mtu_bytes", "Size of the largest datagram that is known to reach a neighbor."), func(l *status.Link) float64 { return float64(l.MTU) }},
}

func linkDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("gwyh_link_"+name, help, linkLabels, nil)
}

// collectLinks exports only the first of several links with equal labels. A node has such links for a while after a
// neighbor restarts, and Prometheus would reject all metrics of the process because of them.
func collectLinks(ch chan<- prometheus.Metric, links []status.Link) {
	shown := map[[2]string]bool{}
	for i := range links {
		l := &links[i]
		labels := [2]string{strings.ToValidUTF8(cmp.Or(l.Name, l.ID), "?"), strings.ToValidUTF8(l.Zone, "?")}
		if shown[labels] {
			continue
		}
		shown[labels] = true
		for _, m := range linkMetrics {
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.value(l), labels[:]...)
		}
	}
}
