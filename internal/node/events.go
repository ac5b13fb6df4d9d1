package node

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/dispatch"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/status"
)

// unsent reports whether data for an address is still queued at a slow transport. The core calls it.
func (n *Node[N]) unsent(to netip.AddrPort) bool { return n.loop.carrier.Unsent(to) }

// update brings the snapshot and the names of the members up to date. Only the loop may call it.
func (n *Node[N]) update(now time.Time) { n.snapshots.update(now, n.loop.core) }

// handleEvents updates the snapshot and passes on the core's events.
func (n *Node[N]) handleEvents(now time.Time, events []event.Event) {
	n.update(now)
	for i := range events {
		n.handleEvent(now, &events[i])
		events[i] = event.Event{}
	}
}

func (n *Node[N]) handleEvent(now time.Time, e *event.Event) {
	switch e.Kind {
	case event.Message:
		if e.Via == event.ViaBroadcast {
			n.watch.Copy(now, n.loop.core, status.Received, e)
		}
		n.dispatch.Message(now, vias[e.Via], e.Data)
	case event.Duplicate:
		n.watch.Copy(now, n.loop.core, status.Duplicate, e)
	case event.Coverage:
		n.coverages.answered(e)
	case event.Join:
		n.watch.Member(now, n.loop.core, status.Joined, &e.Member)
		n.dispatch.Member(dispatch.Join, e.Member.Name, n.config.Convert(&e.Member))
	case event.Update:
		n.watch.Member(now, n.loop.core, status.Updated, &e.Member)
		n.dispatch.Member(dispatch.Update, e.Member.Name, n.config.Convert(&e.Member))
	case event.Leave:
		n.watch.Gone(now, n.loop.core, e)
		n.dispatch.Member(dispatch.Leave, e.Member.Name, n.config.Convert(&e.Member))
	case event.Joined, event.StateWanted, event.State, event.MergeAsked, event.AliveAsked,
		event.PayloadWanted, event.SelectionWanted:
		n.joins.put(now, e)
	case event.Sent:
		n.sends.sent(e)
	case event.Pinged:
		n.sends.pinged(e)
	case event.Ping:
		other, rtt, payload := n.config.Convert(&e.Member), e.RTT, e.Data
		n.dispatch.Call(func() { n.config.Application.Ping.NotifyPingComplete(other, rtt, payload) })
	case event.Departed:
		n.departure.confirmed()
	case event.Conflict:
		n.taken.note(now, n.loop.core.Self().ID, e)
		if d := n.config.Application.Conflict; d != nil {
			existing, other := n.config.Convert(&e.Member), n.config.Convert(e.Other)
			n.dispatch.Call(func() { d.NotifyConflict(existing, other) })
		}
	case event.Log:
		n.dispatch.Log(e.Text)
	}
}

// vias maps the core's ways of delivery to the dispatcher's.
var vias = [...]dispatch.Via{
	event.ViaBroadcast: dispatch.Broadcast,
	event.ViaDirect:    dispatch.Direct,
	event.ViaRepeat:    dispatch.Repeat,
}

// handleNoRoute records that the system refuses to send to an address.
func (n *Node[N]) handleNoRoute(now time.Time, to netip.AddrPort, err error) {
	n.joins.noRoute(now, to, err)
}

// everySecond does periodic work that is not urgent. It is a separate function and not inlined, because the loop
// would otherwise keep its stack while it waits.
//
//go:noinline
func (n *Node[N]) everySecond(now time.Time) {
	n.snapshots.updateDistances(now, n.loop.core)
	n.loop.rest()
	n.rejoin.every(now)
	n.relocation.every(now)
	n.debug.follow(n.loop.core, n.config.Log, n.dispatch.Call)
	figures := n.figures()
	figures.Shell.SlowestDelivery, figures.Shell.QueueDue = n.dispatch.Slowest(), n.queueDue(now)
	n.keys.remind(now, figures.Core.Members > 1, n.dispatch.Call)
	n.sending.every(now, n.loop.carrier.Failures(), n.dispatch.Call)
	n.counted.Update(now, figures)
	n.metrics.Offer(figures)
}

// figures returns the current counters of the core and the shell. It leaves the samples out, because reading them
// starts the next ones.
func (n *Node[N]) figures() *telemetry.Figures {
	c, keys := n.loop.carrier.Stats(), n.keys.present()
	return &telemetry.Figures{Core: n.loop.core.Stats(), Propagation: n.loop.core.Beacons().Zones(), Shell: telemetry.Shell{
		DefaultKey: keys.Default, WeakKeys: keys.Weak,
		InboxDropped: c.InboxDropped, OutboxDropped: c.OutboxDropped, OutboxLate: c.OutboxLate, WriteErrors: c.WriteErrors,
		MessagesDropped: n.dispatch.Dropped(),
		Rebroadcasts:    n.puller.Rebroadcasts.Load(), KnownRepeats: n.dispatch.KnownRepeats(),
	}}
}

// queueDue reports whether the metrics of queue lengths are due.
func (n *Node[N]) queueDue(now time.Time) bool {
	every := n.config.QueueCheckInterval
	if every == 0 || now.Before(n.queueCheck) {
		return false
	}
	n.queueCheck = now.Add(every)
	return true
}

// Figures are a node's counters, all read at the same moment.
type Figures struct {
	Core          stats.Stats
	Subscriptions int
	Rebroadcasts  uint64        // messages of GetBroadcasts that were not sent because they were rebroadcasts
	Dropped       uint64        // datagrams and messages that were discarded, in the core and around it
	Late          uint64        // the part of Dropped that was queued too long at a slow transport
	Keys          Keys          // the Keys field is nil
	Propagation   time.Duration // of the slowest zone: 95 % of the last beacons took no longer
}

// Figures returns the node's counters. The error is ErrShutdown.
func (n *Node[N]) Figures() (f Figures, err error) {
	err = n.loop.do(func(time.Time) {
		core, carried := n.loop.core.Stats(), n.loop.carrier.Stats()
		f = Figures{Core: core, Subscriptions: n.loop.core.Started(), Rebroadcasts: n.puller.Rebroadcasts.Load(), Late: carried.OutboxLate}
		f.Keys = n.keys.present()
		for _, z := range n.loop.core.Beacons().Zones() {
			f.Propagation = max(f.Propagation, z.Quantile(0.95))
		}
		f.Dropped = n.dispatch.Dropped() + carried.InboxDropped + carried.OutboxDropped + carried.OutboxLate
		for _, n := range carried.WriteErrors {
			f.Dropped += n
		}
		for _, n := range core.Dropped {
			f.Dropped += n
		}
	})
	return f, err
}
