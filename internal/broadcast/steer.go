package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	steerFor = 20 * time.Millisecond // delay before an urgent Prune or Graft is sent, so that one message names many origins
	steerMax = 100                   // maximum origins in one message
)

// steer schedules a Prune or Graft of an origin to n, whichever the path's state requires when it is sent
// (PROTOCOL.md Q5).
func (d *Disseminator) steer(now time.Time, o *origin, n *Neighbor) {
	d.steerLater(o, n)
	if n.steerAt.IsZero() {
		n.steerAt = now.Add(steerFor)
	}
}

// steerLater is like steer, but the Prune or Graft waits for the next datagram to n, at the latest the next heartbeat. An
// origin that rarely sends messages then costs no datagrams for Prunes, and another one costs at most one more flood:
// the first copy that n should not have sent makes the Prune urgent.
func (d *Disseminator) steerLater(o *origin, n *Neighbor) {
	p := d.origins.path(o, n.slot)
	if p.is(steered) {
		return
	}
	p.set(steered, true)
	n.steer = append(n.steer, o)
}

// Carries reports whether Prunes or Grafts to n wait for the next datagram to n.
func (n *Neighbor) Carries() bool { return len(n.steer) > 0 }

// Carry sends n the Prunes and Grafts that wait for a datagram to n.
func (d *Disseminator) Carry(out []Outcome, n *Neighbor) []Outcome {
	for list := n.steer; len(list) > 0; list = list[min(len(list), steerMax):] {
		var prune, graft wire.Steer
		for _, o := range list[:min(len(list), steerMax)] {
			p := d.origins.path(o, n.slot)
			p.set(steered, false)
			switch {
			case o.gone:
			case p.is(pruned):
				prune.Add(o.id, p.is(backup))
			default:
				graft.Add(o.id, false)
			}
		}
		if prune.Len() > 0 {
			d.Stats.Prunes += uint64(prune.Len())
			out = append(out, Outcome{Kind: SendPrune, To: n, Steer: prune})
		}
		if graft.Len() > 0 {
			d.Stats.Grafts += uint64(graft.Len())
			out = append(out, Outcome{Kind: SendGraft, To: n, Steer: graft})
		}
	}
	n.steer, n.steerAt = nil, time.Time{}
	return out
}

// HandleSteer processes the body of a Prune or a Graft: n is not sent full copies of some origins' messages any more, or is
// sent them again. A Prune of an unknown origin has no effect, so that origin's messages are flooded.
func (d *Disseminator) HandleSteer(n *Neighbor, data []byte, prune bool) {
	s, err := wire.ParseSteer(data)
	switch {
	case err != nil:
		d.Stats.Malformed++
		return
	case !n.linked:
		return
	}
	for i := range s.Len() {
		id, early := s.At(i)
		o := d.origins.byID[id]
		if o == nil {
			continue
		}
		p := d.origins.path(o, n.slot)
		p.set(lazy, prune)
		p.set(soon, prune && early)
	}
}

// sendsFull reports whether n is sent full copies of the messages of an origin.
func (o *origin) sendsFull(n *Neighbor) bool {
	return o == nil || n.slot >= len(o.paths) || !o.paths[n.slot].is(lazy)
}
