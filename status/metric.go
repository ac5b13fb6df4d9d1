package status

// A MetricKind says how a Metric changes.
type MetricKind string

// The kinds of metrics.
const (
	Counter MetricKind = "counter" // it only grows, from 0 at Create
	Gauge   MetricKind = "gauge"   // it may grow and shrink
)

// A Metric is one figure of docs/METRICS.md at one moment.
type Metric struct {
	Name string // as in docs/METRICS.md, without the prefix "gwyh.": "udp.sent"
	Kind MetricKind
	Unit string // as OpenTelemetry has it: "By" for bytes; empty for a number of things
	Help string // what it counts or is, in a few words

	// Label and LabelValue tell metrics of one Name apart, as in reason="forged". Both are empty if there is only one.
	Label, LabelValue string

	Value float64
}
