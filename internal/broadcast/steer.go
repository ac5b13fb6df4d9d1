package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// graft asks n to become eager: full copies are taken from it.
func (d *Disseminator) graft(out []Outcome, now time.Time, n *Neighbor) []Outcome {
	n.Parent, n.steered = true, now
	d.Stats.Grafts++
	return append(out, Outcome{Kind: SendGraft, To: n})
}

// prune asks n to become lazy, and to stop sending one message.
func (d *Disseminator) prune(out []Outcome, now time.Time, n *Neighbor, stop wire.MessageID) []Outcome {
	n.Parent, n.steered, n.stopped = false, now, stop
	d.Stats.Prunes++
	return append(out, Outcome{Kind: SendPrune, To: n, Message: stop})
}

// stop asks n to stop sending one message. n stays a parent.
func (d *Disseminator) stop(out []Outcome, now time.Time, n *Neighbor, stop wire.MessageID) []Outcome {
	n.steered, n.stopped = now, stop
	d.Stats.Prunes++
	return append(out, Outcome{Kind: SendStop, To: n, Message: stop})
}

// HandlePrune takes in the body of a Prune: n becomes lazy. The core stops sending the message stop to n.
func (d *Disseminator) HandlePrune(n *Neighbor, data []byte) (stop wire.MessageID, ok bool) {
	stop, err := wire.ParsePrune(data)
	if err != nil {
		d.Stats.Malformed++
		return stop, false
	}
	n.Eager = false
	d.Shown(n, stop)
	return stop, true
}

// HandleGraft makes n eager.
func (d *Disseminator) HandleGraft(n *Neighbor) {
	if n.linked {
		n.Eager = true
	}
}
