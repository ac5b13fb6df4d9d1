package sim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

// Report is the result of a run for capacity planning.
type Report struct {
	Seed      uint64     `json:"seed"`
	Nodes     int        `json:"nodes"`
	Zones     []string   `json:"zones,omitempty"`
	Formation *Formation `json:"formation,omitempty"`
	Idle      *Usage     `json:"idle,omitempty"`
	Broadcast *Broadcast `json:"broadcast,omitempty"`
	Failure   *Failure   `json:"failure,omitempty"`
	Traffic   []Traffic  `json:"traffic,omitempty"` // over the whole run
}

// Formation describes how a cluster formed.
type Formation struct {
	Whole Millis `json:"whole_ms"` // until every node knew all others and received from enough
	Usage Usage  `json:"usage"`

	Course []Formed `json:"course"`
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

	Coverage []Reach      `json:"coverage"` // of the messages that reached all nodes
	Zones    []ZoneDelays `json:"delays_by_zone"`
}

// Delivered returns the fraction of the deliveries that were made.
func (b *Broadcast) Delivered() float64 {
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

	Suspicions Percentiles `json:"suspected_ms,omitempty"` // the distributions over the crashes
	Knowing    Percentiles `json:"known_dead_ms,omitempty"`
	Observers  Percentiles `json:"observers_ms,omitempty"` // until a node knew of a crash, over crashes and nodes
}

// Usage is the cost of a span of time.
type Usage struct {
	Duration Millis `json:"span_ms"`
	Mean     Rates  `json:"mean_node"`
	Busiest  Rates  `json:"busiest_node"` // each figure is the maximum over the nodes
	Between  []Flow `json:"between_zones,omitempty"`
	All      Rates  `json:"all_nodes"`
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
	u := Usage{Duration: Millis(now.at - before.at)}
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

// Size is what a cluster of one size does and costs.
type Size struct {
	Nodes        int     `json:"nodes"`
	Whole        Millis  `json:"whole_ms"`
	Idle         *Rates  `json:"idle,omitempty"`         // of the mean node
	Broadcasting *Rates  `json:"broadcasting,omitempty"` // of the mean node
	Copies       float64 `json:"copies_per_node"`
	Last         Millis  `json:"last_node_p50_ms"`
	Known        Millis  `json:"known_dead_p50_ms"`
}

// Size returns the figures of a report that depend most on the number of nodes.
func (r *Report) Size() Size {
	s := Size{Nodes: r.Nodes, Whole: r.Formation.Whole}
	if r.Idle != nil {
		s.Idle = &r.Idle.Mean
	}
	if b := r.Broadcast; b != nil {
		s.Broadcasting, s.Copies, s.Last = &b.Usage.Mean, b.Copies, b.Last.P50
	}
	if r.Failure != nil {
		s.Known = r.Failure.Known.P50
	}
	return s
}
