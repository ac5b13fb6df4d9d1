package status

// A MetricKind describes how a Metric changes.
type MetricKind string

// The kinds of metrics.
const (
	Counter MetricKind = "counter" // only grows, from 0 at Create
	Gauge   MetricKind = "gauge"   // grows and shrinks

	Histogram MetricKind = "histogram" // values since Create, counted by size
)

// A Metric is one figure of docs/METRICS.md at one moment.
type Metric struct {
	Name string // as in docs/METRICS.md, without the prefix "gwyh.": "udp.sent"
	Kind MetricKind
	Unit string // an OpenTelemetry unit: "By" for bytes; empty for a count
	Help string // a short description

	// Label and LabelValue tell metrics of one Name apart, as in reason="forged". Both are empty if there is only one.
	Label, LabelValue string

	Value float64 // for a Histogram, the sum of the values

	// Count and Buckets are set for a Histogram only.
	Count   uint64
	Buckets []Bucket // by Bound; that of the last one is +Inf
}

// A Bucket counts the values of a Histogram above the Bound of the previous Bucket and up to its own.
type Bucket struct {
	Bound float64
	Count uint64
}
