package simnet

import (
	"math/rand/v2"
)

// links holds the conditions, the state and the counters of the links between hosts.
type links struct {
	seed     uint64
	rng      *rand.Rand // the network's
	pairPCG  rand.PCG   // seeded again for each draw that belongs to a pair of hosts
	pairRand *rand.Rand // draws from pairPCG

	zones      zones
	states     map[uint64]*link // directed pairs that have state, by linkKey
	list       []*link          // the same links, in order of creation
	special    int              // number of links with conditions of their own
	unassigned Traffic          // datagrams that belong to no pair of zones
}

// A link is the state of one directed pair of hosts.
type link struct {
	own  *Link // set by SetLink; nil: the conditions of the zones apply
	pipe Pipe
	last int64 // the latest arrival so far, for Ordered
}

func newLinks(seed uint64, rng *rand.Rand, fallback Link) *links {
	s := &links{seed: seed, rng: rng, states: make(map[uint64]*link)}
	s.pairRand = rand.New(&s.pairPCG)
	s.zones.fallback = fallback
	return s
}

// linkKey returns the key of a directed pair.
func linkKey(from, to hostRef) uint64 { return uint64(from.index)<<32 | uint64(to.index) }

// conditions returns the conditions in force from one host to another and the state of the pair. The state is nil if
// the pair has none.
func (s *links) conditions(from, to hostRef) (*Link, *link) {
	switch from {
	case nobody:
		return &s.zones.fallback, nil
	case to:
		return &toSelf, nil
	}
	c := &s.zones.pair(from, to).cond
	if s.special == 0 && !c.stateful() {
		return c, nil
	}
	l := s.states[linkKey(from, to)]
	if l != nil && l.own != nil {
		c = l.own
	}
	if l == nil && c.stateful() {
		l = s.link(from, to)
	}
	return c, l
}

// link returns the state of a directed pair and creates it if necessary.
func (s *links) link(from, to hostRef) *link {
	key := linkKey(from, to)
	l := s.states[key]
	if l == nil {
		l = &link{}
		s.states[key] = l
		s.list = append(s.list, l)
	}
	return l
}

// latency draws the latency of a pair of hosts: always the same value, with the same quantile in both directions.
func (s *links) latency(d Dist, from, to hostRef) int64 {
	if d.kind == constant || from == nobody {
		return d.draw(s.rng)
	}
	a, b := uint64(from.index), uint64(to.index)
	if a > b {
		a, b = b, a
	}
	x := scramble(s.seed ^ scramble(a<<32|b))
	s.pairPCG.Seed(x, scramble(x))
	return d.draw(s.pairRand)
}

// traffic returns the counters for datagrams from one host to another.
func (s *links) traffic(from, to hostRef) *Traffic {
	if from == nobody || to == nobody {
		return &s.unassigned
	}
	return &s.zones.pair(from, to).traffic
}

// total returns the sum of all counters.
func (s *links) total() Traffic {
	sum := s.unassigned
	for i := range s.zones.pairs {
		sum.add(&s.zones.pairs[i].traffic)
	}
	return sum
}

// setOwn sets the conditions of a directed pair. With nil it removes them.
func (s *links) setOwn(from, to hostRef, cond *Link) {
	l := s.link(from, to)
	switch {
	case l.own == nil && cond != nil:
		s.special++
	case l.own != nil && cond == nil:
		s.special--
	}
	l.own = cond
}

// setFallback sets the conditions that apply where none were set.
func (s *links) setFallback(cond Link) {
	cond.check()
	s.zones.fallback = cond
	s.zones.inherit()
}

// adjust edits all conditions.
func (s *links) adjust(edit func(*Link)) {
	apply := func(c *Link) {
		edit(c)
		c.check()
	}
	apply(&s.zones.fallback)
	s.zones.inherit()
	for i := range s.zones.pairs {
		if p := &s.zones.pairs[i]; p.own {
			apply(&p.cond)
		}
	}
	for _, l := range s.list {
		if l.own != nil {
			apply(l.own)
		}
	}
}
