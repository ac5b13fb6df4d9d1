package broadcast

import (
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what is known of origins (PROTOCOL.md 5). The messages of other origins flood.
const (
	originsMax   = 4096
	originsBytes = 512 << 10
	originAge    = time.Minute // without a message, before an origin gives way to a new one
)

// An origin is what is known of the messages of one node: the paths that they come by.
type origin struct {
	id         uint64
	next, prev *origin // in the order in which messages were last met

	top     uint64        // highest counter met
	topAt   time.Duration // when it was met
	metAt   time.Duration // when a message was last met
	topFrom int16         // slot of the neighbor that the top came from; -1 for none
	marks   [marks]uint64 // the top at the end of the last periods, the newest first: see floor

	probe   uint64        // the message that is learned from: see learn.go
	probeAt time.Duration // when it was first met
	settles time.Duration // when the parents are chosen by it
	probing bool          // they have not been yet
	chosen  bool          // parents were chosen
	gone    bool          // forgotten

	delay wire.Delay // of this node
	count uint8      // messages that were learned from, at most learnFirst
	paths []path     // by Neighbor.slot
}

// A path is what is known of an origin's messages on one link.
type path struct {
	late  int16      // by how much its copies come after the first ones, on average, in units of wire.Delay
	delay wire.Delay // of the neighbor
	state state
}

type state uint16

const (
	parent  state = 1 << iota // full copies are taken from the neighbor
	pruned                    // it was asked to be lazy
	backup                    // and to announce soon
	lazy                      // it has asked not to be sent full copies
	soon                      // but to be told soon
	known                     // late is known
	sampled                   // the probe came from it
	steered                   // it is in Neighbor.steer
	telling                   // it is in Neighbor.soon
	missed1                   // a counter of two bits: probes in a row that did not come from this parent
	missed2

	missedAll = missed1 | missed2
)

func (p *path) is(s state) bool { return p.state&s != 0 }

func (p *path) set(s state, on bool) {
	if on {
		p.state |= s
	} else {
		p.state &^= s
	}
}

// misses returns how many probes in a row did not come from a parent: at most 3.
func (p *path) misses() int { return int(p.state & missedAll / missed1) }

func (p *path) setMisses(n int) { p.state = p.state&^missedAll | state(min(n, 3))*missed1 }

const lateWeight = 4 // a sample counts as much as this part of the average

// sample takes in by how much the neighbor was later than the first.
func (p *path) sample(late time.Duration) {
	x := int(max(-math.MaxInt16, min(late/wire.DelayUnit, math.MaxInt16)))
	if p.is(known) {
		x = int(p.late) + (x-int(p.late))/lateWeight
	}
	p.late = int16(x)
	p.set(known, true)
}

// A digest speaks of the messages of the last seconds: two thirds of Config.Keep at least, and all of it at most. To know their
// counters, an origin keeps the tops at the end of the last periods.
const (
	marks   = 3
	keepMin = 3 * time.Second // the least Config.Keep
)

// advance moves the marks on to a time.
func (o *origin) advance(at, period time.Duration) {
	for n := min(at/period-o.metAt/period, marks); n > 0; n-- {
		copy(o.marks[1:], o.marks[:])
		o.marks[0] = o.top
	}
}

// floor returns the lowest counter that a digest speaks of; it is above the top if there is nothing to announce.
func (o *origin) floor(at, period time.Duration) uint64 {
	n := min(max(at/period-o.metAt/period, 0), marks)
	if n == 0 {
		return o.marks[marks-1] + 1
	}
	return append([]uint64{o.top}, o.marks[:]...)[marks-n] + 1
}

// origins are the origins that are known, in the order in which messages of them were last met.
type origins struct {
	byID   map[uint64]*origin
	newest *origin
	oldest *origin
	bytes  int // memory of all of them, without their paths
}

// path returns the path of an origin on the link of a slot.
func (s *origins) path(o *origin, slot int) *path {
	if len(o.paths) <= slot {
		before := o.size()
		for len(o.paths) <= slot {
			o.paths = append(o.paths, path{})
		}
		s.bytes += o.size() - before
	}
	return &o.paths[slot]
}

// Bytes of memory.
const (
	originSize = 144 // of an origin
	placeSize  = 24  // of its place in the map, at most
	pathSize   = 6   // of a path
)

// size is the memory of an origin with so many paths, with its place in the map.
func (o *origin) size() int {
	return originSize + placeSize + cap(o.paths)*pathSize
}

// all calls yield with each origin, the one with the newest message first.
func (s *origins) all(yield func(*origin) bool) {
	for o := s.newest; o != nil; o = o.next {
		if !yield(o) {
			return
		}
	}
}

// add makes an origin; nil if there is no room.
func (s *origins) add(id uint64, at time.Duration, slots int) *origin {
	o := &origin{id: id, paths: make([]path, slots), metAt: at}
	for len(s.byID) >= originsMax || s.bytes+o.size() > originsBytes {
		if s.oldest == nil || at-s.oldest.metAt < originAge {
			return nil
		}
		s.remove(s.oldest)
	}
	s.byID[id] = o
	s.bytes += o.size()
	s.link(o)
	return o
}

// touch makes o the newest.
func (s *origins) touch(o *origin) {
	if s.newest != o {
		s.unlink(o)
		s.link(o)
	}
}

func (s *origins) remove(o *origin) {
	delete(s.byID, o.id)
	s.unlink(o)
	s.bytes -= o.size()
	o.gone = true
}

func (s *origins) link(o *origin) {
	o.next = s.newest
	if s.newest != nil {
		s.newest.prev = o
	} else {
		s.oldest = o
	}
	s.newest = o
}

func (s *origins) unlink(o *origin) {
	if o.prev != nil {
		o.prev.next = o.next
	} else {
		s.newest = o.next
	}
	if o.next != nil {
		o.next.prev = o.prev
	} else {
		s.oldest = o.prev
	}
	o.next, o.prev = nil, nil
}
