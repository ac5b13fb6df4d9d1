package telemetry

import (
	"github.com/armon/go-metrics"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// The metrics by kind (docs/METRICS.md says what each means; a test holds the two together). Each list
// yields the same keys in the same order every time. Where memberlist has the notion the key is its own.

func counters(f *Figures, yield func(v uint64, key string, labels ...metrics.Label)) {
	s, sh := &f.Core, &f.Shell
	yield(s.SentDatagrams, "udp.sent.datagrams")
	yield(s.SentBytes, "udp.sent")
	yield(s.ReceivedDatagrams, "udp.received.datagrams")
	yield(s.ReceivedBytes, "udp.received")
	yield(s.BroadcastsSent, "broadcast.sent")
	yield(s.BroadcastsDelivered, "broadcast.received")
	yield(s.BroadcastsForwarded, "broadcast.forwarded")
	yield(s.BroadcastsDuplicate, "broadcast.duplicate")
	yield(s.BroadcastsCrossZone, "broadcast.cross_zone")
	yield(s.Announced, "broadcast.announced")
	yield(s.Wanted, "broadcast.wanted")
	yield(s.Prunes, "link.pruned")
	yield(s.Grafts, "link.grafted")
	yield(s.Resent, "repair.resent")
	yield(s.NaksSent, "repair.asked")
	yield(s.DatagramsLost, "repair.lost")
	yield(s.DirectSent, "direct.sent")
	yield(s.DirectDelivered, "direct.received")
	yield(s.StatesSent, "state.sent")
	yield(s.StatesReceived, "state.received")
	yield(s.StatesRefused, "state.refused")
	yield(s.Vetoed, "vetoed")
	yield(s.Dropped[gossip.DropForged], "decrypt.failed")
	yield(s.ProbesFailed, "probe.failed")
	yield(s.ProbesIndirect, "probe.indirect")
	yield(s.SuspicionsRaised, "suspicion.raised")
	yield(s.SuspicionsRefuted, "suspicion.refuted")

	yield(s.EntriesAlive, "msg.alive")
	yield(s.EntriesSuspect, "msg.suspect")
	yield(s.EntriesDead, "msg.dead")

	handshakes := func(v uint64, outcome string) {
		yield(v, "handshake", metrics.Label{Name: "outcome", Value: outcome})
	}
	handshakes(s.HandshakesInitiated, "initiated")
	handshakes(s.HandshakesAccepted, "accepted")
	handshakes(s.HandshakesFailed, "failed")
	for r := range s.Rejected {
		handshakes(s.Rejected[r], "refused: "+handshake.Reason(r).String())
	}

	dropped := func(v uint64, reason string) {
		yield(v, "dropped", metrics.Label{Name: "reason", Value: reason})
	}
	for _, d := range gossip.Drops() {
		dropped(s.Dropped[d], d.String())
	}
	dropped(sh.InboxDropped, "inbox_full")
	dropped(sh.OutboxDropped, "outbox_full")
	dropped(sh.WriteErrors, "write")
	dropped(sh.MessagesDropped, "slow_delegate")
}

func gauges(f *Figures, yield func(v float64, key string, labels ...metrics.Label)) {
	s := &f.Core
	yield(float64(s.Members), "members")
	yield(float64(s.Links), "links")
	yield(float64(s.Sessions), "sessions")
	yield(float64(s.Health), "health.score")
	yield(float64(s.StateLocal), "size.local")
	yield(float64(s.StateRemote), "size.remote")
	for state, n := range s.Known {
		yield(float64(n), "node.instances", metrics.Label{Name: "node_state", Value: wire.State(state).String()})
	}
}

func samples(f *Figures, yield func(v float64, key string, labels ...metrics.Label)) {
	if f.Shell.QueueDue {
		yield(float64(f.Core.Queued), "queue.broadcasts")
	}
	if d := f.Shell.SlowestDelivery; d > 0 {
		yield(d.Seconds()*1000, "delivery")
	}
}
