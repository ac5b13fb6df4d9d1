package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A large message has two stripes, and a node takes each stripe of an origin's messages from one neighbor
// (docs/PROTOCOL.md, "Stripes"). A neighbor that has not said which stripes it takes is sent an offer as soon as a message
// begins to arrive, and answers it with that.

const (
	offerAgain = 4    // bit in a Stripes: the receiver must offer messages of the origin again
	wholeLoss  = 0.02 // loss of a link above which both stripes are taken from further neighbors too, so that a copy covers a loss
	stripesMax = 60   // maximum entries of one Stripes, so that it fits into any datagram
)

func (p *path) takes() assembly.Stripes { return assembly.Stripes(p.state/even) & assembly.Both }
func (p *path) gives() assembly.Stripes {
	return assembly.Stripes(p.state/givesEven) & assembly.Both
}
func (p *path) setTakes(s assembly.Stripes) { p.state = p.state&^(even|odd) | state(s)*even }
func (p *path) setGives(s assembly.Stripes) {
	p.state = p.state&^(givesEven|givesOdd) | state(s)*givesEven
}

// Takes returns the stripes that the node takes from n of an origin's large messages.
func (d *Disseminator) Takes(id uint64, n *Neighbor) assembly.Stripes {
	if !n.linked {
		return 0
	}
	return d.origins.byID[id].takesFrom(n)
}

// Gives returns the stripes that n takes from this node of an origin's large messages. Without room for the origin's paths,
// its messages are sent to all.
func (d *Disseminator) Gives(id *wire.MessageID, n *Neighbor) assembly.Stripes {
	switch o := d.origins.byID[id.Origin()]; {
	case o == nil || !id.HasOrigin():
		return assembly.Both
	case !o.has(n):
		return 0
	default:
		return o.paths[n.slot].gives()
	}
}

// SendsLarge reports whether n takes large messages of this node from it.
func (d *Disseminator) SendsLarge(n *Neighbor) bool {
	own := wire.BroadcastID(d.cfg.Self, 0)
	return d.Gives(&own, n) != 0
}

// stated reports whether n has said which stripes of the origin's messages it takes.
func (o *origin) stated(n *Neighbor) bool { return o.has(n) && o.paths[n.slot].is(stated) }

// sender returns the neighbor from which one of the stripes is taken, or nil.
func (o *origin) sender(neighbors []*Neighbor, stripes assembly.Stripes) *Neighbor {
	for _, n := range neighbors {
		if o.takesFrom(n)&stripes != 0 {
			return n
		}
	}
	return nil
}

// state schedules a statement to n which stripes of a message, and of later ones of its origin, this node takes from it.
func (n *Neighbor) state(id wire.MessageID, stripes assembly.Stripes) {
	n.statements = append(n.statements, statement{id, stripes})
}

// sendStripes sends n the scheduled statements.
func (n *Neighbor) sendStripes(out []Outcome, stats *Stats) []Outcome {
	for list := range slices.Chunk(n.statements, stripesMax) {
		var stripes wire.Stripes
		for i := range list {
			stripes.Add(&list[i].id, byte(list[i].stripes))
		}
		stats.Stripes += uint64(len(list))
		out = append(out, Outcome{Kind: SendStripes, To: n, Stripes: stripes})
	}
	n.statements = nil
	return out
}

// takeFirst takes both stripes from n, which has offered the first message of the origin.
func (o *origin) takeFirst(n *Neighbor, delay wire.Delay) {
	o.striped, o.far = true, wire.Delay(min(int(delay)+int(n.half()), wire.DelayMax))
	o.paths[n.slot].setTakes(assembly.Both)
}

// qualifies reports whether a stripe may be taken from n as well, whose delay for large messages is given (PROTOCOL.md
// Q16). A neighbor that is no nearer to the origin than this node is not chosen, because nodes that take the same stripe
// from each other would get nothing. Neither is one along which a message takes more than twice as long as along the
// neighbor that was taken first: the node would wait for that stripe.
func (o *origin) qualifies(n *Neighbor, delay wire.Delay) bool {
	return delay < o.far && int(delay)+int(n.half()) <= 2*int(o.far)
}

// share takes one stripe from n, or both if the links lose much, and reports whether it did. It does so if one other
// neighbor sends both, and no third one sends anything: it would cost more than it brings. late says that this begins with
// the next message.
func (o *origin) share(neighbors []*Neighbor, n *Neighbor, id wire.MessageID, late bool) bool {
	first := o.sender(neighbors, assembly.Even)
	if first == nil || first == n || o.paths[first.slot].takes() != assembly.Both {
		return false
	}
	if slices.ContainsFunc(neighbors, func(other *Neighbor) bool { return other != first && o.takesFrom(other) != 0 }) {
		return false
	}
	moved := assembly.Both &^ assembly.StripeOf(&id, 0) // the first chunk may be on its way
	if late {
		id = wire.BroadcastID(o.id, id.Counter()+1)
	}
	if max(first.loss(), n.loss()) > wholeLoss {
		o.paths[n.slot].setTakes(assembly.Both)
		n.state(id, assembly.Both)
		return true
	}
	o.paths[first.slot].setTakes(assembly.Both &^ moved)
	o.paths[n.slot].setTakes(moved)
	first.state(id, assembly.Both&^moved)
	n.state(id, moved)
	return true
}

// takesFrom returns the stripes that the node takes from n.
func (o *origin) takesFrom(n *Neighbor) assembly.Stripes {
	if !o.has(n) {
		return 0
	}
	return o.paths[n.slot].takes()
}

// takeOver takes a stripe from n, instead of from another neighbor, beginning with a message of the origin.
func (o *origin) takeOver(neighbors []*Neighbor, n *Neighbor, stripes assembly.Stripes, counter uint64) {
	next := wire.BroadcastID(o.id, counter)
	before := o.sender(neighbors, stripes)
	if before == n {
		return
	}
	p := &o.paths[n.slot]
	p.setTakes(p.takes() | stripes)
	if before != nil {
		q := &o.paths[before.slot]
		q.setTakes(q.takes() &^ stripes)
		before.state(next, q.takes())
	}
	n.state(next, p.takes())
	if p.takes() == assembly.Both {
		o.wantOffers(neighbors, next)
	}
}

// lostSender takes the stripes that a neighbor sent from the one that sends the other stripe.
func (o *origin) lostSender(neighbors []*Neighbor, stripes assembly.Stripes) {
	if other := o.sender(neighbors, assembly.Both); other != nil {
		o.takeOver(neighbors, other, stripes, o.top+1)
		return
	}
	o.striped = false
	o.wantOffers(neighbors, wire.BroadcastID(o.id, o.top+1))
}

// wantOffers asks the neighbors that send no stripe to make offers.
func (o *origin) wantOffers(neighbors []*Neighbor, from wire.MessageID) {
	for _, n := range neighbors {
		if !o.has(n) || o.paths[n.slot].takes() == 0 {
			n.state(from, offerAgain)
		}
	}
}

// stalled returns the stripes of a message of which nothing has arrived for a while, and when the next one will have
// stalled (PROTOCOL.md Q17).
func (l *Large) stalled(now time.Time, pause time.Duration) (stripes assembly.Stripes, next time.Time) {
	for s := assembly.Even; s <= assembly.Odd; s <<= 1 {
		due := l.came[s>>1].Add(pause)
		switch {
		case l.left(s) == 0:
		case !due.After(now):
			stripes |= s
		default:
			next = timer.Soonest(next, due)
		}
	}
	return stripes, next
}

// left returns how many bytes of the stripes are missing.
func (l *Large) left(s assembly.Stripes) (bytes uint32) {
	l.gaps(s, func(from, to uint32) bool {
		bytes += to - from
		return true
	})
	return bytes
}

// gaps calls yield for the missing ranges of the stripes, in order, until it returns false.
func (l *Large) gaps(s assembly.Stripes, yield func(from, to uint32) bool) {
	on := true
	l.pieces.Gaps(l.total, len(*l.pieces)+1, func(from, to uint32) {
		for on && from < to {
			end := to
			if s != assembly.Both {
				end = min(to, assembly.ChunkEnd(from))
			}
			if s&assembly.StripeOf(&l.id, from) != 0 || s == assembly.Both {
				on = yield(from, end)
			}
			from = end
		}
	})
}

// size returns the number of bytes of the stripes.
func (l *Large) size(s assembly.Stripes) (bytes uint32) {
	s.Chunks(&l.id, l.total, func(from, to uint32) { bytes += to - from })
	return bytes
}

// fromOne treats both stripes as one if the first sender of the message should send both.
func (l *Large) fromOne(takes assembly.Stripes) {
	if takes != assembly.Both && (takes != 0 || len(l.from) > 1) {
		return
	}
	for i, came := range l.came {
		if came.After(l.came[1-i]) {
			l.came[1-i] = came
		}
	}
}
