// Package telemetry publishes what a node counts through armon/go-metrics. The core counts in plain
// integers; once a second the differences go out, so that a packet costs no call.
package telemetry

import (
	"time"

	"github.com/armon/go-metrics"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/handshake"
)

// Interval is the time between publications.
const Interval = time.Second

// Shell is what is counted around the core.
type Shell struct {
	InboxDropped    uint64        // datagrams that found the inbound queue full
	OutboxDropped   uint64        // datagrams that a blocking transport left no room for
	WriteErrors     uint64        // datagrams that the transport did not take
	MessagesDropped uint64        // messages that a slow application made give way
	SlowestDelivery time.Duration // longest wait of a message for NotifyMsg since the last publication
}

// Figures is what a node has counted at a moment.
type Figures struct {
	Core  gossip.Stats
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
	last    gossip.Stats
	shell   Shell
}

// New publishes to the given sink, or where it is nil to the one that the process has at that moment
// (metrics.NewGlobal), with the given labels on every metric.
func New(own Sink, labels []metrics.Label) *Publisher {
	return &Publisher{offered: make(chan Figures, 1), own: own, labels: labels}
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
			p.publish(f)
		}
	}
}

func (p *Publisher) publish(f Figures) {
	s, sh := f.Core, f.Shell
	p.traffic(&s)
	p.handshakes(&s)
	for _, d := range gossip.Drops() {
		p.count(s.Dropped[d], p.last.Dropped[d], "dropped", metrics.Label{Name: "reason", Value: d.String()})
	}
	p.count(sh.InboxDropped, p.shell.InboxDropped, "dropped", metrics.Label{Name: "reason", Value: "inbox_full"})
	p.count(sh.OutboxDropped, p.shell.OutboxDropped, "dropped", metrics.Label{Name: "reason", Value: "outbox_full"})
	p.count(sh.WriteErrors, p.shell.WriteErrors, "dropped", metrics.Label{Name: "reason", Value: "write"})
	p.count(sh.MessagesDropped, p.shell.MessagesDropped, "dropped", metrics.Label{Name: "reason", Value: "slow_delegate"})
	if sh.SlowestDelivery > 0 {
		p.sink().AddSampleWithLabels([]string{"gwyh", "delivery"}, float32(sh.SlowestDelivery.Seconds()*1000), p.labels)
	}
	p.gauge(s.Members, "members")
	p.gauge(s.Links, "links")
	p.gauge(s.Sessions, "sessions")
	p.last, p.shell = s, sh
}

func (p *Publisher) traffic(s *gossip.Stats) {
	l := &p.last
	p.count(s.SentDatagrams, l.SentDatagrams, "udp.sent.datagrams")
	p.count(s.SentBytes, l.SentBytes, "udp.sent")
	p.count(s.ReceivedDatagrams, l.ReceivedDatagrams, "udp.received.datagrams")
	p.count(s.ReceivedBytes, l.ReceivedBytes, "udp.received")
	p.count(s.BroadcastsSent, l.BroadcastsSent, "broadcast.sent")
	p.count(s.BroadcastsDelivered, l.BroadcastsDelivered, "broadcast.received")
	p.count(s.BroadcastsForwarded, l.BroadcastsForwarded, "broadcast.forwarded")
	p.count(s.BroadcastsDuplicate, l.BroadcastsDuplicate, "broadcast.duplicate")
	p.count(s.Dropped[gossip.DropForged], l.Dropped[gossip.DropForged], "decrypt.failed")
}

func (p *Publisher) handshakes(s *gossip.Stats) {
	l := &p.last
	outcome := func(is, was uint64, name string) {
		p.count(is, was, "handshake", metrics.Label{Name: "outcome", Value: name})
	}
	outcome(s.HandshakesInitiated, l.HandshakesInitiated, "initiated")
	outcome(s.HandshakesAccepted, l.HandshakesAccepted, "accepted")
	outcome(s.HandshakesFailed, l.HandshakesFailed, "failed")
	for r := range s.Rejected {
		outcome(s.Rejected[r], l.Rejected[r], "refused: "+handshake.Reason(r).String())
	}
}

// count publishes by how much a counter has grown.
func (p *Publisher) count(is, was uint64, key string, more ...metrics.Label) {
	if is > was {
		p.sink().IncrCounterWithLabels([]string{"gwyh", key}, float32(is-was), p.with(more))
	}
}

func (p *Publisher) gauge(v int, key string) {
	p.sink().SetGaugeWithLabels([]string{"gwyh", key}, float32(v), p.labels)
}

func (p *Publisher) sink() Sink {
	if p.own != nil {
		return p.own
	}
	return metrics.Default()
}

func (p *Publisher) with(more []metrics.Label) []metrics.Label {
	return append(p.labels[:len(p.labels):len(p.labels)], more...)
}
