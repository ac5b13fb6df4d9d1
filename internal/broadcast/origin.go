package broadcast

import (
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the origin table (PROTOCOL.md 5). The messages of other origins are flooded.
const (
	originsMax   = 4096
	originsBytes = 512 << 10
	originAge    = time.Minute // time without a message after which a new origin may replace this one
)

// An origin is the state of one node's messages: the paths on which they arrive.
type origin struct {
	id         uint64
	next, prev *origin // in the order of the last message

	top     uint64        // highest counter seen
	topAt   time.Duration // when top was seen
	metAt   time.Duration // when the last message was seen
	topFrom int16         // slot of the neighbor that sent the top message; -1 for none
	marks   [marks]uint64 // the top at the end of the last periods, newest first: see floor

	probe     uint64        // counter of the probe: see learn.go
	probeAt   time.Duration // when the probe was first seen
	probeEnds time.Duration // when the parents are chosen from the probe
	probing   bool          // the choice is pending
	chosen    bool          // parents have been chosen
	gone      bool          // removed from the table
	striped   bool          // the stripes of large messages are taken from a neighbor
	carries   bool          // this node takes the messages from other zones: see candidates.go
	entered   bool          // a first copy has come from another zone since the last choice
	crossing  bool          // delay is that along a neighbor of another zone

	delay wire.Delay // delay of messages at this node
	far   wire.Delay // the same for large messages, along the neighbor whose offer was taken first
	count uint8      // number of probes, at most learnFast
	paths []path     // indexed by Neighbor.slot
}

// A path is the state of one link for the messages of an origin.
type path struct {
	late  int16      // average delay of its copies after the first copy, in units of wire.Delay
	delay wire.Delay // delay of messages at the neighbor
	state state
}

type state uint16

const (
	parent    state = 1 << iota // the node takes full copies from the neighbor
	pruned                      // the neighbor was asked to become lazy
	backup                      // the neighbor was asked to announce soon
	lazy                        // the neighbor has asked to be sent no full copies
	soon                        // the neighbor has asked for early announcements
	known                       // late is valid
	sampled                     // the neighbor sent the probe
	steered                     // the origin is in Neighbor.steer
	scheduled                   // the origin is in Neighbor.soon
	missed1                     // two-bit counter: consecutive probes that this parent did not send
	missed2
	even      // the node takes the even stripe of large messages from the neighbor: see stripes.go
	odd       // and the odd one
	givesEven // the neighbor takes the even stripe from this node
	givesOdd  // and the odd one
	stated    // the neighbor has said which stripes it takes

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

// misses returns the number of consecutive probes that a parent did not send, at most 3.
func (p *path) misses() int { return int(p.state & missedAll / missed1) }

func (p *path) setMisses(n int) { p.state = p.state&^missedAll | state(min(n, 3))*missed1 }

const lateWeight = 4 // a sample has a weight of 1/lateWeight in the average

// sample updates the average by which the neighbor is later than the first.
func (p *path) sample(late time.Duration) {
	x := int(max(-math.MaxInt16, min(late/wire.DelayUnit, math.MaxInt16)))
	if p.is(known) {
		x = int(p.late) + (x-int(p.late))/lateWeight
	}
	p.late = int16(x)
	p.set(known, true)
}

// A digest covers the messages of the last seconds: at least two thirds of Config.Keep, and at most all of it. To know
// their counters, an origin keeps the top counters at the end of the last periods.
const (
	marks   = 3
	keepMin = 3 * time.Second // minimum of Config.Keep
)

// advance moves the marks to the given time.
func (o *origin) advance(at, period time.Duration) {
	for n := min(at/period-o.metAt/period, marks); n > 0; n-- {
		copy(o.marks[1:], o.marks[:])
		o.marks[0] = o.top
	}
}

// floor returns the lowest counter that a digest covers. It is above the top if there is nothing to announce.
func (o *origin) floor(at, period time.Duration) uint64 {
	n := min(max(at/period-o.metAt/period, 0), marks)
	if n == 0 {
		return o.marks[marks-1] + 1
	}
	return append([]uint64{o.top}, o.marks[:]...)[marks-n] + 1
}

// origins holds the known origins, ordered by their last message.
type origins struct {
	byID   map[uint64]*origin
	newest *origin
	oldest *origin
	bytes  int // memory of all origins
}

// path returns the path of an origin for the link in a slot, and adds it if needed.
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

// has reports whether the origin has a path for n.
func (o *origin) has(n *Neighbor) bool { return o != nil && n.slot < len(o.paths) }

// Sizes in memory, in bytes.
const (
	originSize = 144 // an origin
	placeSize  = 24  // maximum size of its map entry
	pathSize   = 6   // a path
)

// size returns the memory of an origin with its paths and its map entry, in bytes.
func (o *origin) size() int {
	return originSize + placeSize + cap(o.paths)*pathSize
}

// all calls yield for each origin, the one with the newest message first.
func (s *origins) all(yield func(*origin) bool) {
	for o := s.newest; o != nil; o = o.next {
		if !yield(o) {
			return
		}
	}
}

// add adds an origin and returns it, or nil if there is no room.
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

// touch makes o the newest origin.
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
