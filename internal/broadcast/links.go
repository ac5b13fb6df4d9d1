package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// LinkUp begins to exchange broadcasts with n. Both ends send full copies until one asks the other to become lazy. rtt
// is the round-trip time to n, or a guess. remote says that n is in another zone than this node.
func (d *Disseminator) LinkUp(n *Neighbor, id wire.NodeID, rtt time.Duration, remote bool) {
	d.LinkDown(time.Time{}, n)
	slot := slices.Index(d.slots, nil)
	if slot < 0 {
		slot = len(d.slots)
		d.slots = append(d.slots, nil)
	}
	*n = Neighbor{ID: id, RTT: rtt, linked: true, remote: remote, slot: slot, Source: n.Source, credit: creditLess, granted: d.passed}
	d.slots[slot] = n
	d.neighbors = append(d.neighbors, n)
	d.failed = slices.DeleteFunc(d.failed, func(failed wire.NodeID) bool { return failed == id })
	for _, l := range d.kept {
		if l.forget(id) { // n has forgotten the announcement, but may lack the message
			d.Announced(l, n)
		}
	}
}

// failedMax is the maximum number of failed neighbors for which large messages are kept.
const failedMax = 16

// LinkDown ends the exchange of broadcasts with n, and drops its announcements and the requests to it. Origins that had
// n as a parent choose another neighbor at once. If n has not failed, it gets the large messages that it lacks from its
// other neighbors. LinkDown does nothing if n has no link.
func (d *Disseminator) LinkDown(now time.Time, n *Neighbor) {
	if !n.linked {
		*n = Neighbor{ID: n.ID, Source: n.Source}
		return
	}
	d.neighbors = slices.DeleteFunc(d.neighbors, func(o *Neighbor) bool { return o == n })
	d.slots[n.slot] = nil
	d.missing.forgetNeighbor(n)
	for o := range d.origins.all {
		if int(o.topFrom) == n.slot { // the next neighbor in the slot has not sent it
			o.topFrom = -1
		}
		d.forgetPath(now, o, n)
	}
	if n.Failed {
		d.failed = append(d.failed, n.ID)
	} else {
		forgetAll(d.kept, n.ID)
	}
	if len(d.failed) > failedMax {
		forgetAll(d.kept, d.failed[0])
		d.failed = d.failed[1:]
	}
	*n = Neighbor{ID: n.ID, Source: n.Source}
}

// forgetPath clears a path and chooses another parent if n was one.
func (d *Disseminator) forgetPath(now time.Time, o *origin, n *Neighbor) {
	if n.slot >= len(o.paths) {
		return
	}
	was := o.paths[n.slot]
	o.paths[n.slot] = path{}
	if was.is(parent) {
		d.choose(now, o)
	}
	if was.takes() != 0 {
		o.lostSender(d.neighbors, was.takes())
		d.wake(now)
	}
}

// Tick performs the work that is due: it sends urgent Prunes and Grafts, sends digests, and requests announced
// messages that have not arrived.
func (d *Disseminator) Tick(out []Outcome, now time.Time) []Outcome {
	d.endDueProbes(now)
	d.next = time.Time{}
	turn := timer.Due(d.soonSent.Add(soonPause), now)
	out = d.request(out, now)
	for _, n := range d.neighbors {
		if timer.Due(n.steerAt, now) {
			out = d.Carry(out, n)
		}
		out = n.sendStripes(out, &d.Stats)
		if turn && timer.Due(n.soonAt, now) {
			out = d.announceSoon(out, now, n)
		}
		out = d.answer(out, n)
	}
	return d.announceLate(out, now)
}

// Next returns when Tick must be called next. Zero means never. Scheduled digests to all neighbors are sent in the same
// turns, because each further turn wakes this node and the neighbor (PROTOCOL.md Q8).
func (d *Disseminator) Next() time.Time {
	next := d.next
	if len(d.missing.heap) > 0 {
		next = timer.Soonest(next, d.missing.heap[0].due)
	}
	if !d.news.IsZero() {
		next = timer.Soonest(next, d.lateAt(d.news))
	}
	var soon time.Time
	for _, n := range d.neighbors {
		next, soon = timer.Soonest(next, n.steerAt), timer.Soonest(soon, n.soonAt)
	}
	if turn := d.soonSent.Add(soonPause); !soon.IsZero() && soon.Before(turn) {
		soon = turn
	}
	return timer.Soonest(next, soon)
}

// rareKeep is the largest Config.Keep of frequent heartbeats. With rare ones, two heartbeats have each digest: packets are
// remembered for 10 s, so Naks do not repair a heartbeat when the next one comes (PROTOCOL.md Q8).
const rareKeep = 10 * time.Second

// Heartbeat returns the digests of all origins with new messages since the last ones to n. with goes into the heartbeat
// that is about to be sent, and is nil if there are none; further digests are outcomes, and so are the Prunes and Grafts
// that waited for a datagram (PROTOCOL.md Q5, Q8).
func (d *Disseminator) Heartbeat(out []Outcome, now time.Time, n *Neighbor) (_ []Outcome, with *digest.List) {
	d.endDueProbes(now)
	out = d.Carry(out, n)
	begin := len(out)
	since := n.announcedAt
	if d.cfg.Keep > rareKeep {
		since = min(since, d.since(now)-2*d.cfg.HeartbeatGap*5/4)
	}
	out = d.announceAll(out, now, n, since)
	var have *digest.List
	if len(out) > begin {
		have = out[len(out)-1].Have
	}
	if out = d.mentionKept(out, now, n, have); len(out) > begin {
		with = out[begin].Have
		out = append(out[:begin], out[begin+1:]...)
	}
	return out, with
}

// Sweep drops expired state. It returns false if nothing is left to expire. The core calls it about once per second
// while it returns true or large messages exist.
func (d *Disseminator) Sweep(now time.Time) (more bool) {
	d.recent.Forget(now, recentFor*d.cfg.Keep)
	d.kept = slices.DeleteFunc(d.kept, func(l *Large) bool {
		if l.released {
			d.forgetLarge(l)
		}
		return l.released
	})
	return d.recent.Len() > 0
}

// forgetLarge drops a message whose bytes are gone.
func (d *Disseminator) forgetLarge(l *Large) {
	if d.large[l.id] == l {
		delete(d.large, l.id)
	}
	origin := l.id.Origin()
	if d.keptOf[origin] = slices.DeleteFunc(d.keptOf[origin], func(o *Large) bool { return o == l }); len(d.keptOf[origin]) == 0 {
		delete(d.keptOf, origin)
	}
}
