package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

// Millis is a duration that JSON shows in milliseconds, with microsecond precision.
type Millis time.Duration

// MarshalJSON returns the duration as a number of milliseconds.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Round(float64(m)/1e3) / 1e3)
}

// Spread describes a distribution of durations.
type Spread struct {
	Mean Millis `json:"mean_ms"`
	P50  Millis `json:"p50_ms"`
	P99  Millis `json:"p99_ms"`
	Max  Millis `json:"max_ms"`

	sorted []time.Duration
}

func SpreadOf(values []time.Duration) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	slices.Sort(values)
	at := func(q float64) Millis { return Millis(values[min(int(q*float64(len(values))), len(values)-1)]) }
	var sum time.Duration
	for _, v := range values {
		sum += v
	}
	return Spread{Millis(sum) / Millis(len(values)), at(0.5), at(0.99), Millis(values[len(values)-1]), values}
}

// Values returns all durations in ascending order. The caller must not change them.
func (s *Spread) Values() []time.Duration { return s.sorted }

// Text returns a description of the spread in words.
func (s *Spread) Text() string {
	round := func(m Millis) time.Duration { return time.Duration(m).Round(10 * time.Millisecond) }
	return fmt.Sprintf("%v in the mean, %v median, %v at most", round(s.Mean), round(s.P50), round(s.Max))
}

// Report is the result of a run for capacity planning.
type Report struct {
	Seed      uint64     `json:"seed"`
	Nodes     int        `json:"nodes"`
	Zones     []string   `json:"zones,omitempty"`
	Formation *Formation `json:"formation,omitempty"`
	Idle      *Usage     `json:"idle,omitempty"`
	Broadcast *Broadcast `json:"broadcast,omitempty"`
	Failure   *Failure   `json:"failure,omitempty"`
}

// Formation describes how a cluster formed.
type Formation struct {
	Whole Millis `json:"whole_ms"` // until every node knew all others and received from enough
	Usage Usage  `json:"usage"`
}

// Broadcast describes what happened to the messages.
type Broadcast struct {
	Messages   int     `json:"messages"`
	Refused    int     `json:"refused"` // by their origin, because its queue was full
	Size       int     `json:"size_bytes"`
	Wanted     int     `json:"deliveries_wanted"`
	Missing    int     `json:"deliveries_missing"`
	Again      int     `json:"deliveries_repeated"`
	Median     Spread  `json:"median_node"` // over the messages, until half of the nodes had one
	Last       Spread  `json:"last_node"`   // until every node that got it had it
	Copies     float64 `json:"copies_per_node"`
	CrossZone  float64 `json:"copies_across_zones_per_node"`
	Parents    float64 `json:"parents_per_node_and_origin"` // at the end of the run
	Digests    float64 `json:"digests_per_node"`            // sent, per message
	Repaired   float64 `json:"repaired_per_node"`           // messages received because they were requested
	Usage      Usage   `json:"usage"`
	deliveries []time.Duration
}

// Coverage returns the fraction of the deliveries that were made.
func (b *Broadcast) Coverage() float64 {
	if b.Wanted == 0 {
		return 1
	}
	return 1 - float64(b.Missing)/float64(b.Wanted)
}

// Deliveries returns the delays of all deliveries in ascending order. The caller must not change them.
func (b *Broadcast) Deliveries() []time.Duration { return b.deliveries }

// Failure describes how crashes became known.
type Failure struct {
	Crashes   int    `json:"crashes"`
	Unnoticed int    `json:"unnoticed"`   // not known to all nodes at the end of the run
	Suspected Spread `json:"suspected"`   // until the first node suspected one
	Known     Spread `json:"known_dead"`  // until the last node knew it
	FalseDead int    `json:"false_dead"`  // live nodes declared dead, counted once per node that did so
	Unrefuted int    `json:"not_refuted"` // those that were still declared dead at the end of the run
}

// Usage is the cost of a span of time.
type Usage struct {
	Span    Millis `json:"span_ms"`
	Mean    Rates  `json:"mean_node"`
	Busiest Rates  `json:"busiest_node"` // each figure is the maximum over the nodes
	Between []Flow `json:"between_zones,omitempty"`
	All     Rates  `json:"all_nodes"`
}

// Rates are datagrams and payload bytes per second.
type Rates struct {
	SentPackets     float64 `json:"sent_packets_per_s"`
	SentBytes       float64 `json:"sent_bytes_per_s"`
	ReceivedPackets float64 `json:"received_packets_per_s"`
	ReceivedBytes   float64 `json:"received_bytes_per_s"`
}

// Flow is the traffic from one zone to another, or within one.
type Flow struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	Packets float64 `json:"packets_per_s"`
	Bytes   float64 `json:"bytes_per_s"`
}

// A Meter is the traffic up to a moment.
type Meter struct {
	at    time.Duration
	hosts []simnet.HostTraffic
	zones map[[2]string]simnet.Traffic
}

// Meter returns the traffic so far.
func (c *Cluster) Meter() Meter {
	m := Meter{at: c.Net.Elapsed(), zones: map[[2]string]simnet.Traffic{}}
	for _, n := range c.Nodes {
		m.hosts = append(m.hosts, c.Net.HostStats(n.Addr))
	}
	for _, from := range c.Net.Zones() {
		for _, to := range c.Net.Zones() {
			m.zones[[2]string{from, to}] = c.Net.ZoneStats(from, to)
		}
	}
	return m
}

// Since returns the usage since the meter was read, of the nodes that existed then.
func (c *Cluster) Since(before Meter) Usage {
	now := c.Meter()
	u := Usage{Span: Millis(now.at - before.at)}
	seconds := (now.at - before.at).Seconds()
	if seconds <= 0 {
		return u
	}
	for i, b := range before.hosts {
		u.add(now.hosts[i], b, seconds)
	}
	n := float64(len(before.hosts))
	u.Mean = Rates{u.All.SentPackets / n, u.All.SentBytes / n, u.All.ReceivedPackets / n, u.All.ReceivedBytes / n}
	if zones := c.Net.Zones(); len(zones) > 1 {
		for _, from := range zones {
			for _, to := range zones {
				a, b := now.zones[[2]string{from, to}], before.zones[[2]string{from, to}]
				u.Between = append(u.Between, Flow{from, to, float64(a.Sent-b.Sent) / seconds, float64(a.SentBytes-b.SentBytes) / seconds})
			}
		}
	}
	return u
}

func (u *Usage) add(now, before simnet.HostTraffic, seconds float64) {
	r := Rates{
		float64(now.Sent-before.Sent) / seconds, float64(now.SentBytes-before.SentBytes) / seconds,
		float64(now.Received-before.Received) / seconds, float64(now.ReceivedBytes-before.ReceivedBytes) / seconds,
	}
	u.All = Rates{u.All.SentPackets + r.SentPackets, u.All.SentBytes + r.SentBytes,
		u.All.ReceivedPackets + r.ReceivedPackets, u.All.ReceivedBytes + r.ReceivedBytes}
	u.Busiest = Rates{max(u.Busiest.SentPackets, r.SentPackets), max(u.Busiest.SentBytes, r.SentBytes),
		max(u.Busiest.ReceivedPackets, r.ReceivedPackets), max(u.Busiest.ReceivedBytes, r.ReceivedBytes)}
}

// Across returns the fraction of the flows that left their zone.
func (u *Usage) Across() (packets, bytes float64) {
	for _, f := range u.Between {
		if f.From != f.To {
			packets += f.Packets
			bytes += f.Bytes
		}
	}
	return packets, bytes
}
