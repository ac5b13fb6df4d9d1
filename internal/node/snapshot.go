package node

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A snapshot is the state of the cluster that readers see. It is immutable.
type snapshot[N any] struct {
	self        N
	member      bool   // self is a live member
	incarnation uint64 // of self
	others      [][]N  // the other live members
	count       int    // of others
	links       int
}

// len returns the number of live members.
func (s *snapshot[N]) len() int {
	if s.member {
		return s.count + 1
	}
	return s.count
}

// each yields the live members, this node last, as in a memberlist cluster of two.
func (s *snapshot[N]) each(yield func(N) bool) {
	for _, page := range s.others {
		for _, n := range page {
			if !yield(n) {
				return
			}
		}
	}
	if s.member {
		yield(s.self)
	}
}

// An observable is what snapshots show: a core.
type observable interface {
	Self() gossip.Member
	Table() *members.Table
	Links() int
	Distances() uint64 // the number of changes of round-trip times
}

// snapshots makes the snapshots of one node. The cost of each depends on the number of members that have changed. Any
// goroutine may read current; the loop owns the other fields.
type snapshots[N any] struct {
	current   atomic.Pointer[snapshot[N]]
	convert   func(*gossip.Member) N
	joined    func(now time.Time, id wire.NodeID)   // called for each new member
	turned    func(now time.Time, m *gossip.Member) // called when a member becomes suspected, or is no longer suspected
	names     *addrbook.Book                        // follows the members; may be nil
	known     map[wire.NodeID]*entry[N]             // the live members
	order     []*entry[N]                           // the others, in the order of nodes
	nodes     pages[N]                              // the others
	version   uint64                                // Version of the member table in current
	distances uint64                                // core.Distances in current
}

// An entry is a member as convert made it, with the fields whose change requires a new conversion.
type entry[N any] struct {
	node   N
	digest [16]byte // of what its entry says
	rtt    time.Duration
	addr   *netip.AddrPort // where names has it; nil without names
	place  int32           // index in order; -1 for this node
	state  wire.State
}

// update replaces the snapshot if members or links have changed.
func (s *snapshots[N]) update(now time.Time, core observable) {
	old, links := s.current.Load(), core.Links()
	switch {
	case old == nil || core.Table().Version() != s.version:
		s.renew(now, core)
	case old.links != links:
		renewed := *old
		renewed.links = links
		s.current.Store(&renewed)
	}
}

// updateDistances replaces the snapshot if round-trip times have changed. They change constantly, so it is called
// only once per second.
func (s *snapshots[N]) updateDistances(now time.Time, core observable) {
	if core.Distances() != s.distances {
		s.renew(now, core)
	}
}

// renew makes a new snapshot. Members that have not changed keep their N.
func (s *snapshots[N]) renew(now time.Time, core observable) {
	s.version, s.distances = core.Table().Version(), core.Distances()
	self := core.Self()
	core.Table().Changed(func(m *members.Entry) {
		if m.Live() {
			s.set(now, m, m.ID == self.ID)
		} else {
			s.remove(m.ID)
		}
	})
	own := s.known[self.ID]
	snap := &snapshot[N]{member: own != nil, incarnation: self.Incarnation, others: s.nodes.share(), count: s.nodes.count, links: core.Links()}
	if own != nil {
		snap.self = own.node
	} else {
		snap.self = s.convert(&self)
	}
	s.current.Store(snap)
}

// set adds a member, or makes a new N if the member has changed.
func (s *snapshots[N]) set(now time.Time, m *members.Entry, self bool) {
	e := s.known[m.ID]
	switch {
	case e == nil:
		s.joined(now, m.ID)
	case e.current(m):
		return
	case e.state != m.State:
		s.turned(now, &m.Member)
	}
	node := s.convert(&m.Member)
	switch {
	case e != nil && e.place >= 0:
		s.nodes.set(int(e.place), node)
	case e == nil && self:
		e = &entry[N]{place: -1}
	case e == nil:
		e = &entry[N]{place: int32(len(s.order))}
		s.order = append(s.order, e)
		s.nodes.push(node)
	}
	if s.names != nil {
		s.rename(e, m)
	}
	e.node, e.digest, e.state, e.rtt = node, m.Digest(), m.State, m.RTT
	s.known[m.ID] = e
}

// rename records the name of a member at its address in names.
func (s *snapshots[N]) rename(e *entry[N], m *members.Entry) {
	at := plain(m.Addr)
	if e.addr != nil && *e.addr != at {
		s.names.RemoveMember(*e.addr, m.ID)
	}
	s.names.SetMember(at, m.ID, m.Name)
	e.addr = &at
}

// current reports whether the entry matches the member's present state.
func (e *entry[N]) current(m *members.Entry) bool {
	return e.digest == m.Digest() && e.state == m.State && e.rtt == m.RTT
}

// remove removes a node that is no longer a member.
func (s *snapshots[N]) remove(id wire.NodeID) {
	e := s.known[id]
	if e == nil {
		return
	}
	delete(s.known, id)
	if e.addr != nil {
		s.names.RemoveMember(*e.addr, id)
	}
	if e.place < 0 {
		return
	}
	last := len(s.order) - 1
	if moved := s.order[last]; moved != e {
		moved.place = e.place
		s.order[e.place] = moved
		s.nodes.set(int(e.place), moved.node)
	}
	s.order[last] = nil
	s.order = s.order[:last]
	s.nodes.pop()
}

// plain returns an address as transports name it.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
