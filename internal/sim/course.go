package sim

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/stats"
)

// samplesMax bounds the samples of one phase of a run, and of a distribution.
const samplesMax = 100

// Formed is the progress of the formation at a moment. The fractions are of the nodes.
type Formed struct {
	At     Millis  `json:"at_ms"`
	Known  float64 `json:"members_known"` // mean fraction of the members that a node knows
	Full   float64 `json:"nodes_that_know_all"`
	Linked float64 `json:"nodes_with_links"` // that receive from as many nodes as they want
}

// formed returns the progress of the formation now.
func (c *Cluster) formed() Formed {
	f := Formed{At: Millis(c.Net.Elapsed())}
	up := c.count()
	wanted := map[string]int{} // links by zone
	for _, n := range c.Nodes {
		if _, ok := wanted[n.Zone]; !ok {
			wanted[n.Zone] = c.hears(n, up)
		}
		known := n.Core.NumMembers()
		f.Known += float64(known) / float64(up)
		if known == up {
			f.Full++
		}
		if n.Core.Started() >= wanted[n.Zone] {
			f.Linked++
		}
	}
	all := float64(len(c.Nodes))
	f.Known, f.Full, f.Linked = f.Known/all, f.Full/all, f.Linked/all
	return f
}

// thin removes every second sample if there are too many, and doubles the time between samples.
func thin[T any](samples []T, step *time.Duration) []T {
	if len(samples) <= 2*samplesMax {
		return samples
	}
	kept := samples[:0]
	for i := 0; i < len(samples); i += 2 {
		kept = append(kept, samples[i])
	}
	*step *= 2
	return kept
}

// Reach is the time until a fraction of the other nodes had a message.
type Reach struct {
	Nodes    float64 `json:"nodes"`
	Quickest Millis  `json:"quickest_ms"`
	Median   Millis  `json:"median_ms"`
	Slowest  Millis  `json:"slowest_ms"`
}

// reach returns the spread of messages over the nodes, without the messages that did not reach all of them.
func reach(messages []*Message) (course []Reach) {
	var whole [][]time.Duration
	for _, m := range messages {
		if !m.Whole() || m.Wanted == 0 {
			continue
		}
		var delays []time.Duration
		m.Delays(func(_ int, after time.Duration) { delays = append(delays, after) })
		slices.Sort(delays)
		whole = append(whole, delays)
	}
	if len(whole) == 0 {
		return nil
	}
	times := make([]time.Duration, len(whole))
	for i := 1; i <= samplesMax; i++ {
		for k, delays := range whole {
			times[k] = delays[max((i*len(delays)+samplesMax-1)/samplesMax-1, 0)]
		}
		slices.Sort(times)
		course = append(course, Reach{float64(i) / samplesMax, Millis(times[0]), Millis(times[len(times)/2]), Millis(times[len(times)-1])})
	}
	return course
}

// ZoneDelays are the delays of deliveries to the nodes of a zone.
type ZoneDelays struct {
	Zone       string      `json:"zone"` // empty without zones
	Deliveries int         `json:"deliveries"`
	Delays     Percentiles `json:"delays_ms"`
}

// delaysByZone returns the delays of messages by the zone of the receiver, in the order of zones.
func (c *Cluster) delaysByZone(zones []string, messages []*Message) []ZoneDelays {
	if len(zones) == 0 {
		zones = []string{""}
	}
	by := map[string][]time.Duration{}
	for _, m := range messages {
		m.Delays(func(node int, after time.Duration) {
			zone := c.Nodes[node].Zone
			by[zone] = append(by[zone], after)
		})
	}
	var list []ZoneDelays
	for _, z := range zones {
		slices.Sort(by[z])
		list = append(list, ZoneDelays{z, len(by[z]), percentilesOf(by[z])})
	}
	return list
}

// Traffic is what a node sent in the mean since the sample before.
type Traffic struct {
	At      Millis  `json:"at_ms"` // end of the time that the sample covers, since the start of the run
	Phase   string  `json:"phase"`
	Packets float64 `json:"packets_per_s"`
	Bytes   float64 `json:"bytes_per_s"`
	Copies  float64 `json:"copies_per_node,omitempty"` // copies received for each delivery
}

// recorder samples the traffic of a run.
type recorder struct {
	c       *Cluster
	samples []Traffic
	at      time.Duration // of the sample before
	before  totals        // at that moment
}

// totals are sums over all nodes.
type totals struct {
	packets, bytes uint64 // sent
	copies, heard  uint64 // copies received, and deliveries of broadcasts
}

// sample adds a sample if step has passed since the one before. During broadcasts it also counts copies.
func (r *recorder) sample(phase string, step time.Duration, broadcasts bool) {
	now := r.c.Net.Elapsed()
	if now-r.at < max(step, time.Millisecond) {
		return
	}
	sum := totals{copies: r.before.copies, heard: r.before.heard}
	for _, n := range r.c.Nodes {
		t := r.c.Net.HostStats(n.Addr)
		sum.packets, sum.bytes = sum.packets+t.Sent, sum.bytes+t.SentBytes
	}
	if broadcasts {
		sum.copies, sum.heard = r.c.Totals().Copies, 0
		for _, m := range r.c.ledger.messages {
			sum.heard += uint64(m.Heard)
		}
	}
	per := (now - r.at).Seconds() * float64(len(r.c.Nodes))
	t := Traffic{At: Millis(now), Phase: phase, Packets: float64(sum.packets-r.before.packets) / per, Bytes: float64(sum.bytes-r.before.bytes) / per}
	if heard := sum.heard - r.before.heard; heard > 0 {
		t.Copies = float64(sum.copies-r.before.copies) / float64(heard)
	}
	r.samples, r.at, r.before = append(r.samples, t), now, sum
}

// Sum returns the sum of a counter over all nodes.
func (c *Cluster) Sum(of func(*stats.Stats) uint64) (sum uint64) {
	for _, n := range c.Nodes {
		s := n.Core.Stats()
		sum += of(&s)
	}
	return sum
}

// Totals are counters of dissemination, summed over all nodes.
type Totals struct {
	Copies   uint64 // copies received, first ones and duplicates
	Crossed  uint64 // copies received from another zone
	Digests  uint64 // digests sent
	Repaired uint64 // messages received because they were requested
}

// Totals returns the sums over all nodes.
func (c *Cluster) Totals() (sum Totals) {
	c.Sum(func(s *stats.Stats) uint64 {
		sum.Copies += s.BroadcastsDelivered + s.BroadcastsDuplicate
		sum.Crossed += s.BroadcastsCrossZone
		sum.Digests += s.Announced
		sum.Repaired += s.Repaired
		return 0
	})
	return sum
}
