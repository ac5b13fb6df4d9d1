package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the choice of parents (docs/PROTOCOL.md, "Paths").
const (
	parentsMin = 2    // minimum parents of one origin, if enough neighbors bring its messages
	parentsMax = 4    // maximum, however lossy the links are
	lossMax    = 1e-5 // tolerated fraction of messages that no parent brings
)

// choose chooses the parents of an origin among the neighbors that bring its messages, and the neighbor that announces
// them soon. The others are asked to become lazy (PROTOCOL.md Q4).
func (d *Disseminator) choose(now time.Time, o *origin) {
	var buf [32]candidate
	list := candidatesOf(o, d.neighbors, buf[:0])
	if len(list) == 0 || o.id == d.cfg.Self {
		return
	}
	o.chosen = true
	feasible, carrier := o.preferZone(list)
	putFirst(o, list[:feasible])
	count := parentsFor(list)
	if carrier {
		count = hearZone(list, count)
	}
	second := announcer(list[count:])
	for i, c := range list {
		isParent, isBackup := i < count, c.n == second
		if !isParent {
			c.p.setMisses(0)
		}
		graft := isParent && c.p.is(pruned)
		change := c.p.is(pruned) == isParent || c.p.is(backup) != isBackup
		c.p.set(parent, isParent)
		c.p.set(backup, isBackup)
		c.p.set(pruned, !isParent)
		switch {
		case graft:
			d.steer(now, o, c.n)
		case change:
			d.steerLater(o, c.n)
		}
	}
}

// parentsFor returns the number of candidates that become parents.
func parentsFor(list []candidate) (count int) {
	lost := 1.
	for count < min(len(list), parentsMax) && (count < parentsMin || lost > lossMax) {
		lost *= list[count].n.loss()
		count++
	}
	return count
}

// announcer returns the candidate that repairs a missing message soonest, or nil if there is none.
func announcer(list []candidate) (best *Neighbor) {
	soonest := 0
	for _, c := range list {
		repaired := c.score + 3*int(c.n.RTT/wire.DelayUnit)/2
		if c.p.is(backup) {
			repaired -= stayNear
		}
		if best == nil || repaired < soonest {
			best, soonest = c.n, repaired
		}
	}
	return best
}

// adopt makes a neighbor a parent because it answered a request.
func (d *Disseminator) adopt(now time.Time, n *Neighbor, id wire.MessageID) {
	o := d.origins.byID[id.Origin()]
	if o == nil || !o.chosen || d.lookup(id) != nil { // of large messages it takes over a stripe: see NewPiece
		return
	}
	if !n.linked || o.id == d.cfg.Self {
		return
	}
	p := d.origins.path(o, n.slot)
	if p.is(parent) { // it may not know that it is one
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
