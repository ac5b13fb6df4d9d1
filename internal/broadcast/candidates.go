package broadcast

import (
	"cmp"
	"slices"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	missesMax = 3 // consecutive missed probes after which a parent is replaced

	stayFor  = 10 // a neighbor must be faster than a parent by more than this, in units of wire.Delay,
	stayPart = 32 // plus the parent's round trip divided by this, to replace it
	stayNear = 50 // and must repair a loss sooner than the announcer by more than this to replace it

	zonePart  = 16 // a neighbor of this zone may be later than one of another by the time from there divided by this,
	zoneSlack = 10 // plus this, in units of wire.Delay
)

// candidate is a neighbor that brings the messages of an origin.
type candidate struct {
	n     *Neighbor
	p     *path
	score int // delay after the first neighbor; reduced for a parent
}

// candidatesOf returns the neighbors known to bring the messages of an origin, the fastest first. A neighbor that gets
// them from this node brings none, so a parent in that position is recognized by its missed probes.
func candidatesOf(o *origin, neighbors []*Neighbor, list []candidate) []candidate {
	for _, n := range neighbors {
		if n.slot >= len(o.paths) {
			continue
		}
		p := &o.paths[n.slot]
		if p.is(parent) && p.misses() >= missesMax {
			p.state &^= parent | known | missedAll
		}
		if !p.is(known) {
			continue
		}
		score := int(p.late)
		if p.is(parent) {
			score -= stayFor + int(n.RTT/wire.DelayUnit)/stayPart
		}
		list = append(list, candidate{n, p, score})
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.score, b.score) })
	return list
}

// putFirst moves the first parent ahead of the other candidates. Its delay must be less than that of this node.
// Otherwise the neighbor may get the messages from this node by way of others, and nodes that are each other's first
// parent would get none.
func putFirst(o *origin, list []candidate) {
	i := slices.IndexFunc(list, func(c candidate) bool { return c.p.delay < o.delay })
	if i > 0 {
		moveUp(list, i, 0)
	}
}

// preferZone reorders the candidates by their zones (PROTOCOL.md Q18): few copies cross from one zone into another, because
// a node that gets first copies from its zone takes copies from it only. The others carry messages into it. It returns
// how many candidates may be the first parent, and whether this node carries messages into a zone that is quick enough.
func (o *origin) preferZone(list []candidate) (feasible int, carrier bool) {
	local, remote := slices.IndexFunc(list, isLocal), slices.IndexFunc(list, isRemote)
	if local < 0 || remote < 0 {
		return len(list), false
	}
	limit := list[remote].score + int(list[remote].n.half())/zonePart + zoneSlack
	if list[local].score > limit {
		return len(list), false
	}
	place := func(c candidate) int {
		if o.carries && isRemote(c) && c.score <= limit {
			return 0
		}
		if isLocal(c) {
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(place(a), place(b)) })
	if o.carries {
		return len(list), true
	}
	return slices.IndexFunc(list, isRemote), false
}

func isRemote(c candidate) bool { return c.n.remote }
func isLocal(c candidate) bool  { return !c.n.remote }

// hearZone adds a neighbor of this zone to the parents, which are the first count candidates, if there is none among
// them. From that neighbor a carrier learns that another node is quicker.
func hearZone(list []candidate, count int) int {
	if local := slices.IndexFunc(list, isLocal); local >= count {
		moveUp(list, local, count)
		count++
	}
	return count
}

func moveUp(list []candidate, from, to int) {
	c := list[from]
	copy(list[to+1:from+1], list[to:from])
	list[to] = c
}
