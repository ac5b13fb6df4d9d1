// Package telemetry publishes the figures of a node through go-metrics. It counts nothing itself: once per second it
// publishes the differences of the core's counters. telemetry.go publishes; keys.go and catalog.go list the metrics.
package telemetry

import (
	"slices"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/carrier"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/stats"
)

// Interval is the time between publications.
const Interval = time.Second

// Shell holds the figures from outside the core.
type Shell struct {
	InboxDropped    uint64                 // datagrams for which the inbound queue was full
	OutboxDropped   uint64                 // datagrams for which the queue of a blocking transport was full
	OutboxLate      uint64                 // datagrams queued too long at a blocking transport
	WriteErrors     [carrier.Causes]uint64 // datagrams that the transport did not accept
	MessagesDropped uint64                 // messages dropped because the application is slow
	Rebroadcasts    uint64                 // messages of GetBroadcasts not sent because they had just been delivered here
	KnownRepeats    uint64                 // messages repeated to this node that it had received before
	SlowestDelivery time.Duration          // longest time that a message waited for NotifyMsg since the last publication
	DefaultKey      bool                   // a key of the node is the default one of gwyh 0.1
	WeakKeys        int                    // number of keys of the node that can be guessed
	QueueDue        bool                   // the queue lengths are due (Config.QueueCheckInterval)
}

// Figures holds the figures of a node at one moment.
type Figures struct {
	Core        stats.Stats
	Shell       Shell
	Propagation []beacon.Zone
}

// A Sink receives the metrics. It is a part of metrics.MetricSink and of metrics.Metrics.
type Sink interface {
	IncrCounterWithLabels(key []string, val float32, labels []metrics.Label)
	SetGaugeWithLabels(key []string, val float32, labels []metrics.Label)
	AddSampleWithLabels(key []string, val float32, labels []metrics.Label)
}

// Publisher remembers the values published last. A sink may be the application's own and may block, so the loop only
// offers figures, and a goroutine of the Publisher publishes them.
type Publisher struct {
	offered   chan *Figures
	own       Sink        // nil means the sink of the process
	discarded func() bool // metrics.Discarded
	labels    []metrics.Label
	last      []uint64            // value of each counter, in the order of counters
	beacons   map[string]uint64   // number of propagation times published of each zone
	names     map[string][]string // the keys published so far, split into parts
}

// New returns a Publisher to own, or if own is nil to the sink that the process has at the time of publication
// (metrics.NewGlobal). Every metric has the given labels.
func New(own Sink, labels []metrics.Label) *Publisher {
	return &Publisher{offered: make(chan *Figures, 1), own: own, discarded: metrics.Discarded, labels: slices.Clip(labels), names: make(map[string][]string), beacons: make(map[string]uint64)}
}

// Offer passes figures on for publication; they must not be modified any more. It drops f if the previous figures have
// not been taken yet, or if there is no sink; the next figures then contain the whole difference. It never blocks.
func (p *Publisher) Offer(f *Figures) {
	if p.own == nil && p.discarded() {
		return
	}
	select {
	case p.offered <- f:
	default:
	}
}

// Run publishes the offered figures until stop is closed.
func (p *Publisher) Run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case f := <-p.offered:
			p.publish(f)
		}
	}
}

// publish publishes the growth of each counter, and the present gauges and samples.
func (p *Publisher) publish(f *Figures) {
	i := 0
	counters(f, func(v uint64, key string, label metrics.Label) {
		if i == len(p.last) {
			p.last = append(p.last, 0)
		}
		if v > p.last[i] {
			p.sink().IncrCounterWithLabels(p.name(key), float32(v-p.last[i]), p.with(label))
		}
		p.last[i] = v
		i++
	})
	gauges(f, func(v float64, key string, label metrics.Label) {
		p.sink().SetGaugeWithLabels(p.name(key), float32(v), p.with(label))
	})
	samples(f, func(v float64, key string) {
		p.sink().AddSampleWithLabels(p.name(key), float32(v), p.labels)
	})
	p.publishBeacons(f)
}

// publishBeacons publishes the propagation times that are new, as far as the figures still have them.
func (p *Publisher) publishBeacons(f *Figures) {
	before := p.beacons
	p.beacons = make(map[string]uint64, len(f.Propagation)) // a zone may be gone, and come back with no figures
	for i := range f.Propagation {
		z := &f.Propagation[i]
		p.beacons[z.Name] = z.Count
		fresh := z.Count
		if n := before[z.Name]; n <= z.Count {
			fresh -= n
		}
		for _, took := range z.Recent[len(z.Recent)-int(min(fresh, uint64(len(z.Recent)))):] {
			p.sink().AddSampleWithLabels(p.name(propagation), float32(took.Seconds()*1000), p.with(metrics.Label{Name: "zone", Value: z.Name}))
		}
	}
}

// name returns the parts of a key with the library's prefix; each sink joins them in its own way. The slice has no
// spare capacity, because some sinks append to it.
func (p *Publisher) name(key string) []string {
	parts, ok := p.names[key]
	if !ok {
		parts = slices.Clip(strings.Split("gwyh."+key, "."))
		p.names[key] = parts
	}
	return parts
}

func (p *Publisher) sink() Sink {
	if p.own != nil {
		return p.own
	}
	return metrics.Default()
}

// with returns the labels of every metric, plus label unless it is zero.
func (p *Publisher) with(label metrics.Label) []metrics.Label {
	if label == (metrics.Label{}) {
		return p.labels
	}
	return append(p.labels, label) // append copies, because the slice has no spare capacity
}
