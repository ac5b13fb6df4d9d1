package inspect

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
	"github.com/gwyh-go/gwyh/status"
)

// A Watch is who is told of events, and the last member events. The zero Watch is ready.
type Watch struct {
	list    []*Watcher
	history history
}

// Add begins to tell a Watcher of events.
func (w *Watch) Add(o *Watcher) { w.list = append(w.list, o) }

// Remove ends that, and returns how many Watchers are left.
func (w *Watch) Remove(o *Watcher) int {
	w.list = slices.DeleteFunc(w.list, func(x *Watcher) bool { return x == o })
	return len(w.list)
}

// History returns the last member events, the oldest first.
func (w *Watch) History() []status.Event { return w.history.list() }

// tell sends an event to all Watchers.
func (w *Watch) tell(e status.Event) {
	if e.IsMember() {
		w.history.add(e)
	}
	for _, o := range w.list {
		o.tell(e)
	}
}

// Copy tells of a copy of a broadcast. It costs nothing unless anybody watches.
func (w *Watch) Copy(now time.Time, core *gossip.Core, kind status.Kind, e *event.Event) {
	if len(w.list) == 0 {
		return
	}
	i := inspection{now: now, core: core}
	w.tell(status.Event{At: now, Kind: kind, Node: i.node(e.From), Message: e.ID.String(), Size: e.Size})
}

// Member tells that a member joined or was updated.
func (w *Watch) Member(now time.Time, core *gossip.Core, kind status.Kind, m *members.Member) {
	w.member(now, core, kind, m, wire.NodeID{})
}

// member tells of a member, and by is the node that found it out, zero if that is not known.
func (w *Watch) member(now time.Time, core *gossip.Core, kind status.Kind, m *members.Member, by wire.NodeID) {
	i := inspection{now: now, core: core}
	w.tell(status.Event{At: now, Kind: kind, Node: nodeOf(m), By: i.node(by)})
}

// Gone tells of a member that died or left.
func (w *Watch) Gone(now time.Time, core *gossip.Core, m *members.Member) {
	if m.State == wire.StateLeft {
		w.member(now, core, status.MemberLeft, m, wire.NodeID{})
		return
	}
	var by wire.NodeID
	if e := core.Table().Get(m.ID); e != nil {
		by = e.Accuser
	}
	w.member(now, core, status.MemberDied, m, by)
}

// Turned tells of a member that was taken for alive and is suspected now, or the other way round.
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

// A Watcher is one channel that is told of events.
type Watcher struct {
	ch     chan<- status.Event
	missed uint64
	ended  atomic.Bool
}

// NewWatcher returns a Watcher of a channel.
func NewWatcher(ch chan<- status.Event) *Watcher { return &Watcher{ch: ch} }

// End keeps the Watcher from being told anything more. It may be called from any goroutine.
func (w *Watcher) End() { w.ended.Store(true) }

// tell sends an event if there is room.
func (w *Watcher) tell(e status.Event) {
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

// history is the last member events.
type history struct {
	ring []status.Event
	next int // where the next one goes once the ring is full
}

func (h *history) add(e status.Event) {
	if len(h.ring) < status.HistoryMax {
		h.ring = append(h.ring, e)
		return
	}
	h.ring[h.next] = e
	h.next = (h.next + 1) % len(h.ring)
}

// list returns a copy, the oldest first.
func (h *history) list() []status.Event {
	return append(append([]status.Event(nil), h.ring[h.next:]...), h.ring[:h.next]...)
}
