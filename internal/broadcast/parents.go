package broadcast

import (
	"cmp"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// How parents are chosen (docs/PROTOCOL.md, "Paths").
const (
	parentsMin = 2    // of one origin, if there are so many neighbors that bring its messages
	parentsMax = 4    // however lossy the links are
	lossMax    = 1e-5 // the part of the messages that no parent may bring
	missesMax  = 3    // probes in a row that a parent may miss

	stayFor  = 3  // a parent gives way to a neighbor that is quicker by more than this, in units of wire.Delay,
	stayPart = 32 // and this part of its round trip;

	stayLarge = 50 // of large messages, by this and half of its round trip: a link on which pieces come has found its rate
)

// candidate is a neighbor that brings the messages of an origin.
type candidate struct {
	n     *Neighbor
	p     *path
	score int // by how much it is later than the first; less for a parent
}

// choose chooses the parents of an origin among the neighbors that bring its messages, and the one that is to announce
// them soon. The others are asked to be lazy.
func (d *Disseminator) choose(now time.Time, o *origin) {
	var buf [32]candidate
	list := d.candidates(o, buf[:0])
	if len(list) == 0 || o.id == d.cfg.Self {
		return
	}
	o.chosen = true
	putFirst(o, list)
	count := parentsFor(list)
	if o == d.pieces { // two copies are expensive enough, and what is lost of them is sent again
		count = min(count, parentsMin)
	}
	second := announcer(list[count:])
	for i, c := range list {
		isParent, isBackup := i < count, c.n == second
		if !isParent {
			c.p.setMisses(0)
		}
		change := c.p.is(pruned) == isParent || c.p.is(backup) != isBackup
		c.p.set(parent, isParent)
		c.p.set(backup, isBackup)
		c.p.set(pruned, !isParent)
		if change {
			d.steer(now, o, c.n)
		}
	}
}

// candidates returns the neighbors that are known to bring the messages of an origin, the quickest first. A neighbor that
// gets them from this node brings none, so a parent that has become one is found out by what it misses.
func (d *Disseminator) candidates(o *origin, list []candidate) []candidate {
	for _, n := range d.neighbors {
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
		switch rtt := int(n.RTT / wire.DelayUnit); {
		case p.is(parent) && o == d.pieces:
			score -= stayLarge + rtt/2
		case p.is(parent):
			score -= stayFor + rtt/stayPart
		}
		list = append(list, candidate{n, p, score})
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.score, b.score) })
	return list
}

// putFirst puts the first parent before the other candidates. Its delay must be less than that of this node: a neighbor
// whose delay is not may get the messages from this node itself, by way of others, and nodes that take each other for the
// first parent would get none.
func putFirst(o *origin, list []candidate) {
	i := slices.IndexFunc(list, func(c candidate) bool { return c.p.delay < o.delay })
	if i > 0 {
		first := list[i]
		copy(list[1:i+1], list[:i])
		list[0] = first
	}
}

// parentsFor returns how many of the candidates become parents.
func parentsFor(list []candidate) (count int) {
	lost := 1.
	for count < min(len(list), parentsMax) && (count < parentsMin || lost > lossMax) {
		lost *= list[count].n.loss()
		count++
	}
	return count
}

// announcer returns the candidate from which a message that no parent brings is repaired first; nil if there is none.
func announcer(list []candidate) (best *Neighbor) {
	soonest := 0
	for _, c := range list {
		repaired := c.score + 3*int(c.n.RTT/wire.DelayUnit)/2
		if best == nil || repaired < soonest {
			best, soonest = c.n, repaired
		}
	}
	return best
}

// adopt makes a neighbor a parent that sent a message which was requested.
func (d *Disseminator) adopt(now time.Time, n *Neighbor, id wire.MessageID) {
	o := d.origin(id.Origin())
	if d.lookup(id) != nil {
		o = d.pieces
	}
	if o == nil || !o.chosen {
		return
	}
	if !n.linked || o.id == d.cfg.Self {
		return
	}
	p := d.origins.path(o, n.slot)
	if p.is(parent) { // it may not know that
		d.steer(now, o, n)
		return
	}
	p.set(parent|known, true)
	p.set(backup, false)
	p.setMisses(0)
	if p.is(pruned) {
		p.set(pruned, false)
		d.steer(now, o, n)
	}
}
