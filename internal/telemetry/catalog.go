package telemetry

import (
	"math"

	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/status"
)

// A notion is the meaning of a metric: its unit, as OpenTelemetry writes it, and its line in docs/METRICS.md.
type notion struct{ unit, help string }

// notions has an entry for every key. docs/METRICS.md and the exporters show the same texts.
var notions = map[string]notion{
	"udp.sent":                 {"By", "bytes of datagrams sent, without IP and UDP headers"},
	"udp.sent.datagrams":       {"", "datagrams sent"},
	"udp.received":             {"By", "bytes of datagrams received, without IP and UDP headers"},
	"udp.received.datagrams":   {"", "datagrams received"},
	"broadcast.sent":           {"", "broadcasts of this node"},
	"broadcast.received":       {"", "broadcasts of other nodes handed to the application, once each"},
	"broadcast.forwarded":      {"", "copies of broadcasts sent, one for each link"},
	"broadcast.duplicate":      {"", "further copies of broadcasts received, which the application does not see"},
	"broadcast.cross_zone":     {"", "copies of broadcasts, first ones and duplicates, received from nodes of another zone"},
	"broadcast.suppressed":     {"", "messages of GetBroadcasts not sent, because the same bytes had just been delivered (Config.RebroadcastWindow)"},
	"broadcast.repeated":       {"", "messages of GetBroadcasts sent again to one node that joined after they had been sent to all"},
	"broadcast.repeated.known": {"", "repeated messages received and not delivered, because the application has the same bytes"},
	"broadcast.announced":      {"", "digests sent, which tell one neighbor which broadcasts of one origin are here"},
	"broadcast.wanted":         {"", "pieces requested because they were announced and did not arrive"},
	"broadcast.repaired":       {"", "broadcasts that arrived because they were requested"},
	"beacon.sent":              {"", "beacons of this node (Config.BeaconInterval)"},
	"beacon.received":          {"", "beacons of other nodes received, once each"},
	"beacon.unmeasured":        {"", "received beacons whose propagation time is unknown, because a clock on their way or their origin is"},
	"link.pruned":              {"", "requests to a neighbor to announce the broadcasts of an origin instead of sending them"},
	"link.grafted":             {"", "requests to a neighbor to send the broadcasts of an origin"},
	"link.striped":             {"", "statements to a neighbor which stripes of the large messages of an origin are taken from it"},
	"link.stopped":             {"", "requests to a neighbor to send no more of one large message"},
	"repair.asked":             {"", "ranges of lost datagrams reported to their sender"},
	"repair.resent":            {"", "messages and pieces sent again"},
	"repair.lost":              {"", "datagrams that never arrived, although they were requested again"},
	"direct.sent":              {"", "messages sent to a single node"},
	"direct.received":          {"", "messages received that were for this node only"},
	"state.sent":               {"", "application states and member lists sent to a single node, empty ones too"},
	"state.received":           {"", "application states received that were not empty"},
	"state.refused":            {"", "application states of others refused, because there were too many"},
	"state.too_large":          {"", "application states, of this node and of others, not exchanged because they exceed 16 MiB"},
	"vetoed":                   {"", "refusals by the application of a node or a cluster, and protocol versions that do not fit"},
	"decrypt.failed":           {"", "packets whose authenticator was wrong"},
	"probe.failed":             {"", "members that did not answer probes in time"},
	"probe.indirect":           {"", "requests to other nodes to probe a member"},
	"suspicion.raised":         {"", "suspicions that this node raised"},
	"suspicion.refuted":        {"", "suspicions of itself that this node refuted"},
	"msg.alive":                {"", "membership entries with news of a live node"},
	"msg.suspect":              {"", "accusations received"},
	"msg.dead":                 {"", "membership entries with news of a node that failed or left"},
	"handshake":                {"", "handshakes that ended, by outcome: initiated, accepted, failed, or \"refused: \" and the reason"},
	"dropped":                  {"", "datagrams and messages dropped, by reason"},

	"members":          {"", "members that are alive or suspect, this node included"},
	"links":            {"", "neighbors with which broadcasts are exchanged"},
	"sessions":         {"", "sessions with keys"},
	"origins":          {"", "origins of broadcasts of which this node knows the paths"},
	"parents":          {"", "neighbors that send the broadcasts of an origin in full, for all origins together"},
	"health.score":     {"", "how unwell this node is; 0 is well"},
	"size.local":       {"By", "bytes of the application state sent last"},
	"size.remote":      {"By", "bytes of the application state received last"},
	"default_key":      {"", "1 if a key of the node is the default one of gwyh 0.1, which keeps nobody out; otherwise 0"},
	"weak_keys":        {"", "keys of the node that can be guessed: shorter than 16 bytes, of equal bytes, or the default one"},
	"node.instances":   {"", "members by node_state: alive, suspect, and the dead and left that are remembered"},
	"queue.broadcasts": {"", "messages queued for links"},
	"propagation":      {"ms", "how long beacons took from their origin to this node, by the zone of the origin"},
	"delivery":         {"ms", "the longest time that a message waited for NotifyMsg since the previous sample"},
}

// Metrics returns the counters, the gauges, the queues, which go-metrics receives as samples, and the histograms. It leaves out
// "delivery", which is a maximum since the last sample of a single reader.
func (f *Figures) Metrics() []status.Metric {
	var all []status.Metric
	add := func(kind status.MetricKind, key string, label metrics.Label, v float64) {
		n := notions[key]
		all = append(all, status.Metric{Name: key, Kind: kind, Unit: n.unit, Help: n.help, Label: label.Name, LabelValue: label.Value, Value: v})
	}
	counters(f, func(v uint64, key string, label metrics.Label) { add(status.Counter, key, label, float64(v)) })
	gauges(f, func(v float64, key string, label metrics.Label) { add(status.Gauge, key, label, v) })
	add(status.Gauge, "queue.broadcasts", metrics.Label{}, float64(f.Core.Queued))
	for i := range f.Propagation {
		z := &f.Propagation[i]
		add(status.Histogram, propagation, metrics.Label{Name: "zone", Value: z.Name}, z.Sum.Seconds())
		m := &all[len(all)-1]
		m.Unit, m.Count = "s", z.Count
		for i, n := range z.Buckets {
			b := status.Bucket{Bound: math.Inf(1), Count: n}
			if i < len(beacon.Bounds) {
				b.Bound = beacon.Bounds[i].Seconds()
			}
			m.Buckets = append(m.Buckets, b)
		}
	}
	return all
}
