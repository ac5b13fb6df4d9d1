package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what neighbors announce (docs/PROTOCOL.md, "Announcements").
const (
	// AnnouncedMax is how many announcements of one neighbor wait for their messages, at most.
	AnnouncedMax = 1 << 15
	// AnnouncedKeep is how long an announced message is kept for the neighbors that it was announced to, at most.
	AnnouncedKeep = 2 * time.Minute

	graftAgain = 50 * time.Millisecond // before a neighbor that does not heed a Prune or a Graft is sent it again
)

// HandleAnnouncements takes in the body of a Have. Messages that do not come by themselves are requested.
func (d *Disseminator) HandleAnnouncements(out []Outcome, now time.Time, n *Neighbor, data []byte) []Outcome {
	have, err := wire.ParseHave(data)
	switch {
	case err != nil:
		d.Stats.Malformed++
		return out
	case !n.linked:
		d.Stats.Unexpected++
		return out
	}
	news := false
	for i := range have.Len() {
		id, total := have.At(i)
		d.Shown(n, id)
		switch {
		case total == 0 || total > MessageMax:
			d.Stats.Oversize++
		case d.Seen.Has(&id):
		default:
			news = true
			out = d.expect(out, n, announcement{id: id, total: total, at: now, due: now.Add(n.RTT + d.grace.length)})
		}
	}
	unheard := n.Parent && now.Sub(n.steered) > graftAgain // it announces to us although it is a parent
	missing := !n.Parent && d.Parents() < parentsMax
	if news && (unheard || missing) {
		out = d.graft(out, now, n)
	}
	return out
}

// expect remembers an announcement of n.
func (d *Disseminator) expect(out []Outcome, n *Neighbor, a announcement) []Outcome {
	if n.Expected() >= AnnouncedMax {
		d.Stats.Overflow++
		return out
	}
	if len(n.expected.due) == 0 {
		out = append(out, Outcome{Kind: WakeAt, To: n, At: a.due})
	}
	n.expected.add(a, &d.Seen)
	return out
}

// IsAnnounced reports whether a neighbor has announced a message that has not come.
func (d *Disseminator) IsAnnounced(id wire.MessageID) bool {
	return slices.ContainsFunc(d.neighbors, func(n *Neighbor) bool { return n.HasAnnounced(id) })
}

// tooOld gives up an announcement whose message the neighbor does not keep any more.
func (d *Disseminator) tooOld(now time.Time, a *announcement) bool {
	if now.Sub(a.at) <= AnnouncedKeep || d.Seen.Has(&a.id) {
		return false
	}
	d.abandon(a.id)
	return true
}

// abandon gives up an announced message.
func (d *Disseminator) abandon(id wire.MessageID) {
	d.requests.forget(id)
	d.Stats.Abandoned++
}

// Tick requests of n what it has announced and nobody sent. room is how many bytes of plaintext a datagram to n holds.
// next is when Tick is next needed; zero for never.
func (d *Disseminator) Tick(out []Outcome, now time.Time, n *Neighbor, room int) (_ []Outcome, next time.Time) {
	if n.Expected() == 0 {
		return out, time.Time{}
	}
	r := round{d: d, now: now, n: n, room: room - wire.SpreadOverhead}
	d.want.Reset()
	r.requestLate()
	r.requestDue()
	if d.want.Len() > 0 {
		d.Stats.Requested += uint64(d.want.Len())
		n.requested = now
		out = append(out, Outcome{Kind: SendRequest, To: n, Want: &d.want})
		if r.missing && !n.Parent && d.Parents() <= parentsMax {
			out = d.graft(out, now, n)
		}
	}
	return out, n.expected.next()
}

// round is one Tick of a neighbor.
type round struct {
	d       *Disseminator
	now     time.Time
	n       *Neighbor
	room    int  // bytes that the requests of one datagram may take
	missing bool // nobody has sent any of a message that n has announced: n shall be a parent
}

// fits reports whether the datagram has room for the requests of one more message.
func (r *round) fits() bool { return (r.d.want.Len()+rangesMax)*wire.WantEntry < r.room }

// requestLate requests what was late already, as far as it is due.
func (r *round) requestLate() {
	e, now := &r.n.expected, r.now
	if len(e.late) == 0 || e.lateAt.After(now) {
		return
	}
	late := e.late
	e.late, e.lateAt = late[:0], time.Time{}
	for _, a := range late {
		switch {
		case r.d.Seen.Has(&a.id):
			r.d.requests.forget(a.id) // it came, or has left its window
		case r.d.tooOld(now, &a):
		case a.due.After(now) || !r.fits() || r.request(&a):
			e.postpone(a)
		}
	}
}

// requestDue requests what is due for the first time.
func (r *round) requestDue() {
	n, e, now := r.n, &r.n.expected, r.now
	for len(e.due) > 0 && !e.due[0].due.After(now) && r.fits() {
		if r.d.tooOld(now, &e.due[0]) {
			e.due = e.due[1:]
			continue
		}
		if n.open >= openMax { // it has enough to do
			e.due[0].due = now.Add(r.d.pause(n))
			return
		}
		a := e.due[0]
		e.due = e.due[1:]
		if r.request(&a) {
			e.postpone(a)
		}
	}
}

func (r *round) request(a *announcement) (again bool) {
	again, missing := r.d.pursue(r.now, r.n, a)
	r.missing = r.missing || missing
	return again
}

// pursue decides what becomes of an announcement that is due. Nothing, if the message is here. It is looked at again
// if the message is coming, or was just requested of another neighbor. Otherwise the message is requested of n. missing says
// that nobody has sent any of it.
func (d *Disseminator) pursue(now time.Time, n *Neighbor, a *announcement) (again, missing bool) {
	if d.Seen.Has(&a.id) {
		return false, false
	}
	l := d.lookup(&a.id)
	before := d.requests.byID[a.id]
	pause := d.pause(n)
	last := before.at
	if l != nil && l.came.After(last) {
		last = l.came
	}
	if due := last.Add(pause); due.After(now) {
		a.due = due
		return true, false
	}
	if before.of == n {
		n.unanswered(now, before.at)
		pause = d.pause(n)
	}
	if a.tries == triesMax {
		d.abandon(a.id)
		return false, false
	}
	if n.open >= openMax && before.of != n {
		a.due = now.Add(pause)
		return true, false
	}
	a.tries++
	a.due = now.Add(min(pause<<a.tries, pauseMax)) // other announcers come before n
	d.requests.put(now, a.id, n)
	if l == nil {
		d.want.Add(&a.id, 0, a.total)
		return true, true
	}
	l.pieces.Gaps(l.total, rangesMax, func(from, to uint32) { d.want.Add(&a.id, from, to) })
	return true, len(*l.pieces) == 0
}

// pause is how long n has to answer a request.
func (d *Disseminator) pause(n *Neighbor) time.Duration {
	return min(max(2*n.RTT+d.grace.length, n.patience), pauseMax)
}

// supplied learns how long n takes to answer a request: it may be slow, or have much to send before.
func (d *Disseminator) supplied(now time.Time, n *Neighbor, id *wire.MessageID) {
	if q, ok := d.requests.byID[*id]; ok && q.of == n {
		n.patience = max(n.patience*7/8, min(2*now.Sub(q.at), pauseMax))
	}
}

// unanswered gives n more time for the next request. Of requests that were on their way together only one counts.
func (n *Neighbor) unanswered(now, requested time.Time) {
	if requested.After(n.impatient) {
		n.patience, n.impatient = min(2*max(n.patience, graceMin), pauseMax), now
	}
}
