package node

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A snapshot is the state of the cluster that readers see. It is immutable.
type snapshot[N any] struct {
	self        N
	incarnation uint64 // of self
	nodes       []N    // this node is last, as in a memberlist cluster of two
	links       int
}

// snapshots makes the snapshots of one node. Any goroutine may read current; the loop owns the other fields.
type snapshots[N any] struct {
	current   atomic.Pointer[snapshot[N]]
	convert   func(*gossip.Member) N
	joined    func(now time.Time, id wire.NodeID)   // called for each new member
	turned    func(now time.Time, m *gossip.Member) // called when a member becomes suspected, or is no longer suspected
	known     map[wire.NodeID]entry[N]
	version   uint64 // Version of the member table in current
	distances uint64 // core.Distances in current
}

// An entry is a member as convert made it, with the fields whose change requires a new conversion.
type entry[N any] struct {
	node        N
	incarnation uint64
	state       wire.State
	rtt         time.Duration
}

// update replaces the snapshot if members or links have changed. It reports whether members have changed.
func (s *snapshots[N]) update(now time.Time, core *gossip.Core) bool {
	old, links := s.current.Load(), core.Links()
	if old == nil || core.Table().Version() != s.version {
		s.version = core.Table().Version()
		s.rebuild(now, core)
		return true
	}
	if old.links != links {
		renewed := *old
		renewed.links = links
		s.current.Store(&renewed)
	}
	return false
}

// updateDistances replaces the snapshot if round-trip times have changed. They change constantly, so it is called
// only once per second.
func (s *snapshots[N]) updateDistances(now time.Time, core *gossip.Core) {
	if d := core.Distances(); d != s.distances {
		s.distances = d
		s.rebuild(now, core)
	}
}

// rebuild makes a new snapshot. Members that have not changed keep their N.
func (s *snapshots[N]) rebuild(now time.Time, core *gossip.Core) {
	self, at := core.Self(), -1
	snap := &snapshot[N]{links: core.Links(), incarnation: self.Incarnation, nodes: make([]N, 0, len(s.known)+1)}
	core.Members(func(m *gossip.Member) {
		if m.ID == self.ID {
			at = len(snap.nodes)
		}
		snap.nodes = append(snap.nodes, s.node(now, m))
	})
	if last := len(snap.nodes) - 1; at >= 0 {
		snap.nodes[at], snap.nodes[last] = snap.nodes[last], snap.nodes[at]
	}
	if len(s.known) > len(snap.nodes) {
		s.forget(core, len(snap.nodes))
	}
	if own, ok := s.known[self.ID]; ok {
		snap.self = own.node
	} else {
		snap.self = s.convert(&self)
	}
	s.current.Store(snap)
}

// node returns the N of a member. It makes a new N if the member has changed.
func (s *snapshots[N]) node(now time.Time, m *gossip.Member) N {
	e, ok := s.known[m.ID]
	if ok && e.current(m) {
		return e.node
	}
	switch {
	case !ok:
		s.joined(now, m.ID)
	case e.state != m.State:
		s.turned(now, m)
	}
	e = entry[N]{s.convert(m), m.Incarnation, m.State, m.RTT}
	s.known[m.ID] = e
	return e.node
}

// current reports whether the entry matches the member's present state.
func (e *entry[N]) current(m *gossip.Member) bool {
	return e.incarnation == m.Incarnation && e.state == m.State && e.rtt == m.RTT
}

// forget drops the entries of nodes that are no longer members.
func (s *snapshots[N]) forget(core *gossip.Core, members int) {
	known := make(map[wire.NodeID]entry[N], members)
	core.Members(func(m *gossip.Member) { known[m.ID] = s.known[m.ID] })
	s.known = known
}

// addressNames returns the names of the members by address.
func addressNames(core *gossip.Core) map[netip.AddrPort]string {
	names := make(map[netip.AddrPort]string)
	core.Members(func(m *gossip.Member) {
		names[netip.AddrPortFrom(m.Addr.Addr().Unmap(), m.Addr.Port())] = m.Name
	})
	return names
}
