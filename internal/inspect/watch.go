package inspect

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
	"github.com/gwyh-go/gwyh/status"
)

// A Watch holds the Watchers and the last member events. The zero Watch is ready to use.
type Watch struct {
	list    []*Watcher
	history history
}

// Add adds a Watcher, which receives the events from now on.
func (w *Watch) Add(o *Watcher) { w.list = append(w.list, o) }

// Remove removes a Watcher and returns the number of Watchers left.
func (w *Watch) Remove(o *Watcher) int {
	w.list = slices.DeleteFunc(w.list, func(x *Watcher) bool { return x == o })
	return len(w.list)
}

// History returns the last member events, the oldest first.
func (w *Watch) History() []status.Event { return w.history.list() }

// record adds the event of a member to the history and sends it to all Watchers. more has what the event says beyond
// its time, its kind and the member, or is nil.
func (w *Watch) record(now time.Time, kind status.Kind, m *members.Member, more *status.Event) {
	if more != nil {
		more.At, more.Kind, more.Node = now, kind, nodeOf(m)
	}
	w.history.add(now, kind, m, more)
	switch {
	case len(w.list) == 0: // most nodes have no Watchers, so no event is made
	case more == nil:
		w.send(status.Event{At: now, Kind: kind, Node: nodeOf(m)})
	default:
		w.send(*more)
	}
}

// send sends an event to all Watchers.
func (w *Watch) send(e status.Event) {
	for _, o := range w.list {
		o.send(e)
	}
}

// Copy sends the event of a copy of a broadcast. It does nothing if there are no Watchers.
func (w *Watch) Copy(now time.Time, core *gossip.Core, kind status.Kind, e *event.Event) {
	if len(w.list) == 0 {
		return
	}
	i := inspection{now: now, core: core}
	v := status.Event{At: now, Kind: kind, Node: i.node(e.From), Message: e.ID.String(), Size: e.Size, Travel: e.Travel, Made: e.Made}
	if kind == status.Received && e.ID.HasOrigin() {
		for _, id := range core.Parents(e.ID.Origin()) {
			v.Parents = append(v.Parents, i.node(id))
		}
	}
	w.send(v)
}

// Member sends the event of a member that joined or was updated.
func (w *Watch) Member(now time.Time, core *gossip.Core, kind status.Kind, m *members.Member) {
	w.member(now, core, kind, m, wire.NodeID{})
}

// member sends an event of a member. by is the node that detected it, zero if that is unknown.
func (w *Watch) member(now time.Time, core *gossip.Core, kind status.Kind, m *members.Member, by wire.NodeID) {
	var more *status.Event
	if by != (wire.NodeID{}) {
		i := inspection{now: now, core: core}
		more = &status.Event{By: i.node(by)}
	}
	w.record(now, kind, m, more)
}

// Gone sends the event of a member that failed or left.
func (w *Watch) Gone(now time.Time, core *gossip.Core, e *event.Event) {
	m := &e.Member
	if m.State == wire.StateLeft {
		w.member(now, core, status.MemberLeft, m, wire.NodeID{})
		return
	}
	i := inspection{now: now, core: core}
	died := &status.Event{Heard: e.Heard, DeafSince: e.DeafSince}
	if e := core.Table().Get(m.ID); e != nil {
		died.By = i.node(e.Accuser())
	}
	w.record(now, status.MemberDied, m, died)
}

// Turned sends the event of a member that became suspected, or is no longer suspected.
func (w *Watch) Turned(now time.Time, core *gossip.Core, m *members.Member) {
	if m.State != wire.StateSuspect {
		w.member(now, core, status.Refuted, m, wire.NodeID{})
		return
	}
	var by wire.NodeID
	if e := core.Table().Get(m.ID); e != nil {
		if accusers, _ := core.Detector().Accusers(e, true); len(accusers) > 0 {
			by = accusers[0]
		}
	}
	w.member(now, core, status.Suspected, m, by)
}

// A Watcher is a channel that receives events.
type Watcher struct {
	ch     chan<- status.Event
	missed uint64
	ended  atomic.Bool
}

// NewWatcher returns a Watcher that sends to a channel.
func NewWatcher(ch chan<- status.Event) *Watcher { return &Watcher{ch: ch} }

// End stops the events of the Watcher. Any goroutine may call it.
func (w *Watcher) End() { w.ended.Store(true) }

// send sends an event if the channel has room.
func (w *Watcher) send(e status.Event) {
	if w.ended.Load() {
		return
	}
	e.Missed = w.missed
	select {
	case w.ch <- e:
		w.missed = 0
	default:
		w.missed++
	}
}

// history holds the last member events.
type history struct {
	ring  []past
	next  int       // where the next event goes once the ring is full
	began time.Time // time of the first event
}

// past is a member event. Most events have only the fields that are stored here. A node has many of them as soon as it
// has joined, so they are small.
type past struct {
	at   time.Duration // since history.began
	kind status.Kind
	id   wire.NodeID
	name string
	addr netip.AddrPort
	zone string
	full *status.Event // nil if the event has no other fields
}

// ringStep is the number of events by which the ring grows.
const ringStep = 20

// add adds an event of a member. full is the whole event if it has further fields, which are not stored otherwise.
func (h *history) add(now time.Time, kind status.Kind, m *members.Member, full *status.Event) {
	if h.began.IsZero() {
		h.began = now
	}
	p := past{at: now.Sub(h.began), kind: kind, id: m.ID, name: m.Name, addr: m.Addr, zone: m.Zone.Name, full: full}
	switch n := len(h.ring); {
	case n == status.HistoryMax:
		h.ring[h.next] = p
		h.next = (h.next + 1) % n
	case n == cap(h.ring):
		h.ring = append(append(make([]past, 0, n+ringStep), h.ring...), p)
	default:
		h.ring = append(h.ring, p)
	}
}

// list returns a copy of the events, the oldest first.
func (h *history) list() []status.Event {
	var events []status.Event
	for i := range h.ring {
		if p := &h.ring[(h.next+i)%len(h.ring)]; p.full != nil {
			events = append(events, *p.full)
		} else {
			of := status.Node{ID: p.id.String(), Name: p.name, Addr: p.addr, Zone: p.zone}
			events = append(events, status.Event{At: h.began.Add(p.at), Kind: p.kind, Node: of})
		}
	}
	return events
}
