package telemetry

import (
	"github.com/gwyh-go/gwyh/internal/carrier"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// The metrics by kind. docs/METRICS.md has their meanings; a test compares the two. Each list yields the same keys in
// the same order every time. A metric that memberlist has too has memberlist's key.

func counters(f *Figures, yield func(v uint64, key string, label metrics.Label)) {
	s, sh := &f.Core, &f.Shell
	plain := func(v uint64, key string) { yield(v, key, metrics.Label{}) }
	plain(s.SentDatagrams, "udp.sent.datagrams")
	plain(s.SentBytes, "udp.sent")
	plain(s.ReceivedDatagrams, "udp.received.datagrams")
	plain(s.ReceivedBytes, "udp.received")
	plain(s.BroadcastsSent, "broadcast.sent")
	plain(s.BroadcastsDelivered, "broadcast.received")
	plain(s.BroadcastsForwarded, "broadcast.forwarded")
	plain(s.BroadcastsDuplicate, "broadcast.duplicate")
	plain(s.BroadcastsCrossZone, "broadcast.cross_zone")
	plain(sh.Rebroadcasts, "broadcast.suppressed")
	plain(s.Repeated, "broadcast.repeated")
	plain(sh.KnownRepeats, "broadcast.repeated.known")
	plain(s.Announced, "broadcast.announced")
	plain(s.Wanted, "broadcast.wanted")
	plain(s.Repaired, "broadcast.repaired")
	plain(s.BeaconsSent, "beacon.sent")
	plain(s.BeaconsReceived, "beacon.received")
	plain(s.BeaconsUnmeasured, "beacon.unmeasured")
	plain(s.Prunes, "link.pruned")
	plain(s.Grafts, "link.grafted")
	plain(s.Stripes, "link.striped")
	plain(s.Stops, "link.stopped")
	plain(s.Resent, "repair.resent")
	plain(s.NaksSent, "repair.asked")
	plain(s.DatagramsLost, "repair.lost")
	plain(s.DirectSent, "direct.sent")
	plain(s.DirectDelivered, "direct.received")
	plain(s.StatesSent, "state.sent")
	plain(s.StatesReceived, "state.received")
	plain(s.StatesRefused, "state.refused")
	plain(s.StatesTooLarge, "state.too_large")
	plain(s.Vetoed, "vetoed")
	plain(s.Dropped[stats.DropForged], "decrypt.failed")
	plain(s.ProbesFailed, "probe.failed")
	plain(s.ProbesIndirect, "probe.indirect")
	plain(s.SuspicionsRaised, "suspicion.raised")
	plain(s.SuspicionsRefuted, "suspicion.refuted")

	plain(s.EntriesAlive, "msg.alive")
	plain(s.EntriesSuspect, "msg.suspect")
	plain(s.EntriesDead, "msg.dead")

	handshakes := func(v uint64, outcome string) {
		yield(v, "handshake", metrics.Label{Name: "outcome", Value: outcome})
	}
	handshakes(s.HandshakesInitiated, "initiated")
	handshakes(s.HandshakesAccepted, "accepted")
	handshakes(s.HandshakesFailed, "failed")
	for r := range s.Rejected {
		handshakes(s.Rejected[r], refusals[r])
	}

	dropped := func(v uint64, reason string) {
		yield(v, "dropped", metrics.Label{Name: "reason", Value: reason})
	}
	f.Drops(dropped)
}

// SlowDelegate is the reason of messages dropped because the application is slow.
const SlowDelegate = "slow_delegate"

// WriteErrors are the reasons of datagrams that the system or the transport did not accept.
var WriteErrors = [carrier.Causes]string{carrier.Forbidden: "write_forbidden", carrier.NoRoute: "write_no_route", carrier.NoRoom: "write_no_room",
	carrier.TooBig: "write_too_big", carrier.Other: "write"}

// Drops calls yield with the number of datagrams and messages dropped for each reason, in the same order every time.
func (f *Figures) Drops(yield func(v uint64, reason string)) {
	for _, d := range stats.Drops() {
		yield(f.Core.Dropped[d], d.String())
	}
	sh := &f.Shell
	yield(sh.InboxDropped, "inbox_full")
	yield(sh.OutboxDropped, "outbox_full")
	yield(sh.OutboxLate, "outbox_late")
	for cause, reason := range WriteErrors {
		yield(sh.WriteErrors[cause], reason)
	}
	yield(sh.MessagesDropped, SlowDelegate)
}

// refusals are the outcomes of refused handshakes, by reason.
var refusals = func() (names [handshake.Reasons]string) {
	for r := range names {
		names[r] = "refused: " + handshake.Reason(r).String()
	}
	return names
}()

func gauges(f *Figures, yield func(v float64, key string, label metrics.Label)) {
	s := &f.Core
	plain := func(v float64, key string) { yield(v, key, metrics.Label{}) }
	plain(float64(s.Members), "members")
	plain(float64(s.Links), "links")
	plain(float64(s.Sessions), "sessions")
	plain(float64(s.Origins), "origins")
	plain(float64(s.Parents), "parents")
	plain(float64(s.Health), "health.score")
	plain(float64(s.StateLocal), "size.local")
	plain(float64(s.StateRemote), "size.remote")
	isDefault := 0.
	if f.Shell.DefaultKey {
		isDefault = 1
	}
	plain(isDefault, "default_key")
	plain(float64(f.Shell.WeakKeys), "weak_keys")
	for state, n := range s.Known {
		yield(float64(n), "node.instances", metrics.Label{Name: "node_state", Value: wire.State(state).String()})
	}
}

// propagation is the key of the propagation times of beacons, which have the zone of their origin as a label.
const propagation = "propagation"

func samples(f *Figures, yield func(v float64, key string)) {
	if f.Shell.QueueDue {
		yield(float64(f.Core.Queued), "queue.broadcasts")
	}
	if d := f.Shell.SlowestDelivery; d > 0 {
		yield(d.Seconds()*1000, "delivery")
	}
}
