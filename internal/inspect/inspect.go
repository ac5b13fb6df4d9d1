// Package inspect reads from a core what an operator is shown: a status.Status, and the events of a Watch. inspect.go
// reads the Status, warnings.go its warnings, watch.go sends the events. It owns the last member events, the list of
// Watchers, and the time at which each counter last grew; it changes nothing in the core. Everything except
// [Watcher.End] and [Finish] belongs to the goroutine that owns the core.
package inspect

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/internal/wire"
	"github.com/gwyh-go/gwyh/status"
)

// Take returns the status of a core, except History, Keys and Warnings. figures are the present counters.
func Take(now time.Time, core *gossip.Core, c *Counted, figures *telemetry.Figures) status.Status {
	i := inspection{now: now, core: core}
	c.Update(now, figures)
	drops, refusals := c.lists(figures)
	return status.Status{At: now, Self: i.node(core.Self().ID), Health: core.Detector().Health(), Alone: i.alone(),
		Members: i.members(), Tombstones: core.Table().CountTombstones(), Links: i.links(), Suspicions: i.suspicions(),
		Propagation: i.propagation(), Origins: i.origins(), Drops: drops, Refusals: refusals}
}

// Finish sorts the lists of a Status and adds the warnings that follow from the Status, from the keys, from write errors, and
// from a conflict about the name.
func Finish(s *status.Status, keyWarnings, sendWarnings []string, nameWarning string) {
	slices.SortFunc(s.Members, func(a, b status.Member) int { return byName(&a.Node, &b.Node) })
	slices.SortFunc(s.Links, func(a, b status.Link) int { return byName(&a.Node, &b.Node) })
	slices.SortFunc(s.Suspicions, func(a, b status.Suspicion) int { return cmp.Or(a.Began.Compare(b.Began), strings.Compare(a.ID, b.ID)) })
	s.Warnings = warnings(s, keyWarnings, sendWarnings, nameWarning)
}

func byName(a, b *status.Node) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}

// An inspection reads a core at one moment, in the loop.
type inspection struct {
	now  time.Time
	core *gossip.Core
}

// alone reports whether this node hears no other node although other nodes exist or existed that have not left.
func (i *inspection) alone() bool {
	t := i.core.Table()
	return (t.Count() > 1 || t.CountReserved() > 0) && i.core.Detector().HearsNobody(i.now)
}

// node returns the Node of an id, which need not be a member.
func (i *inspection) node(id wire.NodeID) status.Node {
	if id == (wire.NodeID{}) {
		return status.Node{}
	}
	if m := i.core.Table().Get(id); m != nil {
		return nodeOf(&m.Member)
	}
	return status.Node{ID: id.String()}
}

func nodeOf(m *members.Member) status.Node {
	return status.Node{ID: m.ID.String(), Name: m.Name, Addr: m.Addr, Zone: m.Zone.Name}
}

var states = [wire.States]status.State{wire.StateAlive: status.Alive, wire.StateSuspect: status.Suspect,
	wire.StateDead: status.Failed, wire.StateLeft: status.Left}

// members returns the live members and the latest tombstones, in no particular order.
func (i *inspection) members() []status.Member {
	t := i.core.Table()
	list := make([]status.Member, 0, t.Count()+min(t.CountTombstones(), status.TombstonesMax))
	add := func(m *members.Entry) bool {
		v := &m.Versions
		list = append(list, status.Member{Node: nodeOf(&m.Member), State: states[m.State], Since: t.Since(m), Incarnation: m.Incarnation,
			MetaSize: len(m.Meta), RTT: m.RTT, Legacy: m.Legacy(),
			ProtocolMin: v[0], ProtocolMax: v[1], ProtocolCur: v[2], DelegateMin: v[3], DelegateMax: v[4], DelegateCur: v[5]})
		if m.State == wire.StateDead {
			list[len(list)-1].FoundBy = i.node(m.Accuser())
		}
		return true
	}
	t.Each(add)
	t.LastTombstones(status.TombstonesMax)(add)
	return list
}

// links returns the links in the order in which they began.
func (i *inspection) links() (list []status.Link) {
	i.core.EachLink(func(l gossip.Link) {
		p, path := l.Packets, l.Packets.Path()
		pace := p.Pace()
		of := i.node(l.ID)
		of.Name, of.Zone = cmp.Or(of.Name, l.Name), cmp.Or(of.Zone, l.Zone.Name)
		if !of.Addr.IsValid() {
			of.Addr = l.Sessions.Path().Remote
		}
		list = append(list, status.Link{Node: of, Subscription: l.Overlay.Subscribed(), Subscriber: l.Overlay.Subscriber(),
			RTT: p.RTT(), Loss: pace.Loss(), Heard: l.Sessions.LastOpened(), DeafSince: l.Liveness.DeafSince(),
			Backlog: p.Backlog(), Queued: p.Waiting(), Transfers: len(p.Transfers()), Rate: pace.Rate(), Sent: p.Sent(),
			MTU: path.Size(), Narrow: path.Narrow()})
	})
	return list
}

// propagation returns what beacons show, by zone.
func (i *inspection) propagation() (list []status.Propagation) {
	zones := i.core.Beacons().Zones()
	for n := range zones {
		z := &zones[n]
		list = append(list, status.Propagation{Zone: z.Name, Count: z.Count, Heard: z.Heard, Median: z.Quantile(0.5), P95: z.Quantile(0.95),
			Max: z.Quantile(1), Margin: z.Margin})
	}
	return list
}

// origins returns the nodes that send beacons, those that are behind first.
func (i *inspection) origins() (list []status.Origin) {
	for _, o := range i.core.Beacons().Origins(i.now, status.OriginsMax) {
		list = append(list, status.Origin{Node: i.node(o.ID), Heard: o.Heard, Interval: o.Interval, Overdue: o.Overdue(i.now), Took: o.Took, Measured: o.Measured})
	}
	return list
}

// suspicions returns the suspicions in no particular order.
func (i *inspection) suspicions() (list []status.Suspicion) {
	i.core.Detector().EachSuspicion(func(m *members.Entry, began time.Time) {
		accusers, incarnation := i.core.Detector().Accusers(m, true)
		s := status.Suspicion{Node: nodeOf(&m.Member), Began: began, Incarnation: incarnation}
		for _, id := range accusers {
			s.Accusers = append(s.Accusers, i.node(id))
		}
		list = append(list, s)
	})
	return list
}
