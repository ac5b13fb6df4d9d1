// Package telemetry publishes what a node counts through go-metrics. The core counts in plain
// integers; once a second the differences go out, so that a packet costs no call.
package telemetry

import (
	"slices"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/stats"
)

// Interval is the time between publications.
const Interval = time.Second

// Shell is what is counted around the core.
type Shell struct {
	InboxDropped    uint64        // datagrams that found the inbound queue full
	OutboxDropped   uint64        // datagrams that found too many others waiting for a blocking transport
	OutboxLate      uint64        // datagrams that waited too long for a blocking transport
	WriteErrors     uint64        // datagrams that the transport did not take
	MessagesDropped uint64        // messages that a slow application made give way
	Rebroadcasts    uint64        // messages of GetBroadcasts not sent, because they had just been delivered here
	KnownRepeats    uint64        // messages repeated to this node that it had been sent before
	SlowestDelivery time.Duration // longest wait of a message for NotifyMsg since the last publication
	DefaultKey      bool          // a key of the node is the default one of gwyh 0.1
	WeakKeys        int           // keys of the node that can be guessed
	QueueDue        bool          // it is time to tell how much waits (Config.QueueCheckInterval)
}

// Figures is what a node has counted at a moment.
type Figures struct {
	Core  stats.Stats
	Shell Shell
}

// A Sink takes what is published: a part of metrics.MetricSink and of metrics.Metrics.
type Sink interface {
	IncrCounterWithLabels(key []string, val float32, labels []metrics.Label)
	SetGaugeWithLabels(key []string, val float32, labels []metrics.Label)
	AddSampleWithLabels(key []string, val float32, labels []metrics.Label)
}

// Publisher remembers what was published last. A sink may be the application's own and may block, so
// the loop only offers the figures, and a goroutine of the Publisher's publishes them.
type Publisher struct {
	offered chan Figures
	own     Sink // nil for the process's
	labels  []metrics.Label
	last    []uint64            // of each counter, in the order of counters
	names   map[string][]string // of the keys published so far, in their parts
}

// New publishes to the given sink, or where it is nil to the one that the process has at that moment
// (metrics.NewGlobal), with the given labels on every metric.
func New(own Sink, labels []metrics.Label) *Publisher {
	return &Publisher{offered: make(chan Figures, 1), own: own, labels: slices.Clip(labels), names: make(map[string][]string)}
}

// Offer has the figures published, unless the last ones still wait: then the next will tell the whole
// difference. It never waits.
func (p *Publisher) Offer(f Figures) {
	select {
	case p.offered <- f:
	default:
	}
}

// Run publishes what is offered until stop is closed.
func (p *Publisher) Run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case f := <-p.offered:
			p.publish(&f)
		}
	}
}

// publish tells by how much each counter has grown, and the gauges and samples as they are.
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
}

// name is the parts of a key under the library's prefix: sinks join them each in their own way. They have no
// room behind them, for some sinks append.
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

// with is the labels of every metric, and one of this one unless it is zero.
func (p *Publisher) with(label metrics.Label) []metrics.Label {
	if label == (metrics.Label{}) {
		return p.labels
	}
	return append(p.labels, label) // which copies: they have no room behind them
}
