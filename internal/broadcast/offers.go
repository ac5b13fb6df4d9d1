package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// statedMax is the maximum number of messages in progress that one entry of a Stripes changes.
const statedMax = 16

// A Passing decides for one large message, neighbor by neighbor, which stripes to send at once.
type Passing struct {
	l     *Large
	extra int              // neighbors that are still to be sent the whole message although they have not taken it
	alone assembly.Stripes // stripes that nobody takes; the next neighbor is sent them
}

// PassOn begins to pass on a large message (PROTOCOL.md Q15). No other node has a message of this node, so it is sent to [OwnLinks]
// neighbors, or to fewer if all have said what they take.
func (d *Disseminator) PassOn(l *Large, own bool) (s Passing) {
	s.l = l
	if !own {
		return s
	}
	s.alone, s.extra = assembly.Both, OwnLinks
	silent := 0
	for _, n := range d.neighbors {
		switch gives := d.Gives(&l.id, n); {
		case gives != 0:
			s.alone &^= gives
			s.extra--
		case !d.origins.byID[l.id.Origin()].stated(n):
			silent++
		}
	}
	if s.extra = max(0, min(s.extra, silent)); s.extra > 0 {
		s.alone = 0
	}
	return s
}

// Offer returns the stripes of a message that n is sent at once; full says that its link has no room for them. A neighbor
// that has not said what it takes is sent an offer.
func (d *Disseminator) Offer(out []Outcome, now time.Time, s *Passing, n *Neighbor, full bool) ([]Outcome, assembly.Stripes) {
	l := s.l
	o := d.origins.byID[l.id.Origin()]
	stripes, stated := d.Gives(&l.id, n), o.stated(n)
	switch {
	case full:
		return out, 0
	case stripes == 0 && stated:
		stripes, s.alone = s.alone, 0
		return out, stripes
	case stripes == 0 && s.extra > 0:
		s.extra--
		stripes = assembly.Both
	case stripes == 0 && slices.Contains(l.owners, n):
		return out, 0
	}
	if o != nil && !stated {
		d.digest = l.offer(now, o.far, stripes == 0)
		out, _ = d.write(out, n, nil)
	}
	return out, stripes
}

// offer returns an offer of the message; delay is that of this node for large messages.
func (l *Large) offer(now time.Time, delay wire.Delay, lazy bool) digest.Digest {
	return digest.Digest{Origin: l.id.Origin(), Top: l.id.Counter(), Age: wire.DelayOf(now.Sub(l.began)), Delay: delay, Lazy: lazy, Offer: true}
}

// HandleStripes processes the body of a Stripes: what n takes from now on, also of messages that are on their way.
func (d *Disseminator) HandleStripes(out []Outcome, now time.Time, n *Neighbor, data []byte) []Outcome {
	stripes, err := wire.ParseStripes(data)
	switch {
	case err != nil:
		d.Stats.Malformed++
		return out
	case !n.linked:
		return out
	}
	d.grant(n)
	for i := range stripes.Len() {
		id, bits := stripes.At(i)
		o := d.origins.byID[id.Origin()]
		if o == nil {
			continue
		}
		gives, again := assembly.Stripes(bits)&assembly.Both, bits&offerAgain != 0
		p := d.origins.path(o, n.slot)
		p.setGives(gives)
		p.set(stated, !again)
		list := d.keptOf[o.id]
		for _, l := range list[max(0, len(list)-statedMax):] {
			if l.released || l.id.Counter() < id.Counter() || n.credit == 0 {
				continue
			}
			n.credit--
			if again {
				d.digest = l.offer(now, o.far, true)
				out, _ = d.write(out, n, nil)
				continue
			}
			out = append(out, Outcome{Kind: ChangeStripes, To: n, Message: l.id, Take: gives})
		}
	}
	return out
}

// NewPiece records that a new piece of a message arrived from n. If n was asked for a stripe that another neighbor failed
// to send, n sends that stripe from now on.
func (d *Disseminator) NewPiece(now time.Time, n *Neighbor, l *Large, at uint32) {
	if l == nil {
		return
	}
	stripe := assembly.StripeOf(&l.id, at)
	l.came[stripe>>1] = now
	m := d.missing.byID[l.id]
	if m == nil || m.of == nil {
		return
	}
	if m.absent { // the request was for the whole message
		m.absent, m.stalled, m.failed = false, assembly.Both, true
	}
	if m.stalled&stripe == 0 {
		return
	}
	if m.of != n {
		d.grace.tooEarly(now)
		return
	}
	m.stalled &^= stripe
	if o := d.origins.byID[l.id.Origin()]; m.failed && n.linked && o != nil {
		d.origins.path(o, n.slot)
		o.takeOver(d.neighbors, n, stripe, l.id.Counter()+1)
		d.wake(now)
	}
}
