package status

// A MetricKind describes how a Metric changes.
type MetricKind string

// The kinds of metrics.
const (
	Counter MetricKind = "counter" // only grows, from 0 at Create
	Gauge   MetricKind = "gauge"   // grows and shrinks
)

// A Metric is one figure of docs/METRICS.md at one moment.
type Metric struct {
	Name string // as in docs/METRICS.md, without the prefix "gwyh.": "udp.sent"
	Kind MetricKind
	Unit string // an OpenTelemetry unit: "By" for bytes; empty for a count
	Help string // a short description

	// Label and LabelValue tell metrics of one Name apart, as in reason="forged". Both are empty if there is only one.
	Label, LabelValue string

	Value float64
}
