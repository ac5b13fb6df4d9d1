package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// How parents are chosen (docs/PROTOCOL.md, "Announcements").
const (
	parentsMax      = 2        // neighbors that full copies are taken from
	scoreKept       = 31. / 32 // of a score, with each award
	firstsPerAward  = 32       // first copies of small messages that count as one large message
	duplicatesMax   = 512      // or duplicates
	ignoredPrune    = 16       // duplicates within that from a lazy parent: the Prune was lost
	pruneAgainAfter = time.Second
)

// First learns from the first copy of a small message, which n sent: n was quick, and a request of the message that was made
// to another neighbor was too early.
func (d *Disseminator) First(out []Outcome, now time.Time, n *Neighbor, id *wire.MessageID) []Outcome {
	n.firsts++
	if len(d.requests.byID) > 0 {
		d.supplied(now, n, id)
		if q, ok := d.requests.byID[*id]; ok && q.of != n {
			d.grace.tooEarly(now)
		}
		d.requests.forget(*id)
	}
	if d.firsts++; d.firsts >= firstsPerAward {
		d.grace.relax(now)
		out = d.awardSmall(out, now)
	}
	return out
}

// Duplicate counts a duplicate of a small message. A node that gets nothing else, because all messages are its own, chooses
// its parents too.
func (d *Disseminator) Duplicate(out []Outcome, now time.Time, n *Neighbor) []Outcome {
	n.duplicates++
	if d.duplicates++; d.duplicates >= duplicatesMax {
		out = d.awardSmall(out, now)
	}
	return out
}

// awardSmall learns from the small messages since it was last called who was first.
func (d *Disseminator) awardSmall(out []Outcome, now time.Time) []Outcome {
	d.firsts, d.duplicates = 0, 0
	order := slices.DeleteFunc(slices.Clone(d.neighbors), func(n *Neighbor) bool { return n.firsts == 0 })
	slices.SortStableFunc(order, func(n, o *Neighbor) int { return o.firsts - n.firsts })
	d.award(order)
	for _, n := range d.neighbors {
		ignored := n.duplicates >= ignoredPrune && !n.Parent
		if ignored && now.Sub(n.steered) > pruneAgainAfter {
			out = d.prune(out, now, n, wire.MessageID{})
		}
		n.firsts, n.duplicates = 0, 0
	}
	return d.chooseParents(out, now, wire.MessageID{})
}

// Complete takes note that all of a large message of another node is here, and learns who was first to have it.
func (d *Disseminator) Complete(out []Outcome, now time.Time, l *Large) []Outcome {
	d.Seen.First(now, &l.id, &d.whole) // since the first piece, its origin may have sent more than the window holds
	d.requests.forget(l.id)
	d.award(d.byNotice(l))
	out = d.chooseParents(out, now, l.id)
	for _, n := range d.neighbors {
		if n.HasAnnounced(l.id) {
			l.shown(n)
		}
	}
	return out
}

// award gives points to the first neighbors of an order.
func (d *Disseminator) award(order []*Neighbor) {
	for _, n := range d.neighbors {
		n.score *= scoreKept
	}
	for i, n := range order[:min(len(order), parentsMax)] {
		n.score += 1 / float64(i+1)
	}
}

// chooseParents makes the neighbors with the highest scores parents. One gives way only to a much better one. stop is a
// message that a neighbor need not send any more once it is no parent.
func (d *Disseminator) chooseParents(out []Outcome, now time.Time, stop wire.MessageID) []Outcome {
	isParent := func(n *Neighbor) bool { return n.Parent }
	count := d.Parents()
	for ; count > parentsMax; count-- {
		out = d.prune(out, now, d.extreme(isParent, -1), stop)
	}
	best := d.extreme(func(n *Neighbor) bool { return !n.Parent }, 1)
	if best == nil {
		return out
	}
	worst := d.extreme(isParent, -1)
	switch {
	case count < parentsMax:
		out = d.graft(out, now, best)
	case best.score > 2*worst.score+2:
		out = d.graft(out, now, best)
		out = d.prune(out, now, worst, stop)
	}
	return out
}

// byNotice returns the neighbors in the order in which they told of a message, by a piece or by an announcement. An
// announcement counts a little later than it came: it overtakes pieces, and a link on which pieces come knows its rate,
// which another would have to find.
func (d *Disseminator) byNotice(l *Large) (order []*Neighbor) {
	for _, n := range d.neighbors {
		n.noticed = time.Time{}
		if i := slices.IndexFunc(n.expected.due, func(a announcement) bool { return a.id == l.id }); i >= 0 {
			n.noticed = n.expected.due[i].at.Add(n.RTT/4 + graceMin/4)
		}
	}
	for _, first := range l.from {
		n := first.neighbor
		if n.noticed.IsZero() || first.at.Before(n.noticed) {
			n.noticed = first.at
		}
		order = append(order, n)
	}
	for _, n := range d.neighbors {
		if !n.noticed.IsZero() && !slices.Contains(order, n) {
			order = append(order, n)
		}
	}
	slices.SortStableFunc(order, func(n, o *Neighbor) int { return n.noticed.Compare(o.noticed) })
	return order
}

// extreme returns the neighbor with the highest score (sign 1) or the lowest (-1), of those that ok accepts: the earliest
// of equals, nil if there is none.
func (d *Disseminator) extreme(ok func(*Neighbor) bool, sign float64) (x *Neighbor) {
	for _, n := range d.neighbors {
		if ok(n) && (x == nil || sign*n.score > sign*x.score) {
			x = n
		}
	}
	return x
}
