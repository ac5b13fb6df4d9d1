package broadcast

import (
	"math"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// When digests are sent (docs/PROTOCOL.md, "Repair by digests").
const (
	soonAfter = 10 * time.Millisecond // added to a round trip, for a neighbor that asked for early announcements
	soonPause = 50 * time.Millisecond // minimum time between two turns in which a node sends such announcements
	lateMax   = 3 * time.Second       // for all neighbors if no heartbeat carried the digests

	haveMax = 1000 // maximum bytes of digests in one message, so that it fits into any datagram
)

// schedule schedules a digest of an origin to n.
func (d *Disseminator) schedule(now time.Time, o *origin, n *Neighbor) {
	p := d.origins.path(o, n.slot)
	if p.is(scheduled) {
		return
	}
	p.set(scheduled, true)
	if len(n.soon) == 0 {
		n.soonAt = now.Add(n.RTT + soonAfter)
	}
	n.soon = append(n.soon, o)
}

// showed cancels the early digest of an origin, because n has shown that it has the messages.
func (d *Disseminator) showed(o *origin, n *Neighbor) {
	d.origins.path(o, n.slot).set(scheduled, false)
	if n.soon = slices.DeleteFunc(n.soon, func(s *origin) bool { return s == o }); len(n.soon) == 0 {
		n.soonAt = time.Time{}
	}
}

// announceSoon sends n the scheduled digests.
func (d *Disseminator) announceSoon(out []Outcome, now time.Time, n *Neighbor) []Outcome {
	var have *digest.List
	for _, o := range n.soon {
		d.origins.path(o, n.slot).set(scheduled, false)
		if !o.gone {
			out, have = d.add(out, now, n, o, have)
		}
	}
	n.soon, n.soonAt, d.soonSent = n.soon[:0], time.Time{}, now
	return out
}

// announceAll sends n a digest of each origin with messages that were met after since.
func (d *Disseminator) announceAll(out []Outcome, now time.Time, n *Neighbor, since time.Duration) []Outcome {
	var have *digest.List
	for o := range d.origins.all {
		if o.metAt <= since {
			break
		}
		if int(o.topFrom) != n.slot {
			out, have = d.add(out, now, n, o, have)
		}
	}
	n.announcedAt = d.since(now)
	if !d.news.IsZero() && !slices.ContainsFunc(d.neighbors, d.uninformed) {
		d.news = time.Time{}
	}
	return out
}

// uninformed reports whether n was sent no digests since the oldest message that no heartbeat has announced.
func (d *Disseminator) uninformed(n *Neighbor) bool { return n.announcedAt <= d.since(d.news) }

// lateAt returns the time by which every neighbor gets a digest of a message that was met at the given time (PROTOCOL.md Q8).
func (d *Disseminator) lateAt(met time.Time) time.Time {
	return met.Add(min(d.cfg.HeartbeatGap*5/4, lateMax))
}

// announceLate sends digests to all neighbors that no heartbeat has informed about recent messages.
func (d *Disseminator) announceLate(out []Outcome, now time.Time) []Outcome {
	if d.news.IsZero() || d.lateAt(d.news).After(now) {
		return out
	}
	for _, n := range d.neighbors {
		if !d.news.IsZero() && d.uninformed(n) {
			out = d.announceAll(out, now, n, n.announcedAt)
		}
	}
	d.news = time.Time{}
	return out
}

// add appends the digest of an origin to a message for n, or to a new message if that is full.
func (d *Disseminator) add(out []Outcome, now time.Time, n *Neighbor, o *origin, have *digest.List) ([]Outcome, *digest.List) {
	if !d.describe(now, n, o) {
		return out, have
	}
	return d.write(out, n, have)
}

// write appends the prepared digest to a message.
func (d *Disseminator) write(out []Outcome, n *Neighbor, have *digest.List) ([]Outcome, *digest.List) {
	if have == nil || have.Size()+digest.MinSize+len(d.digest.Holes)*4 > haveMax {
		have = new(digest.List)
		out = append(out, Outcome{Kind: SendDigest, To: n, Have: have})
	}
	have.Add(&d.digest)
	d.Stats.Announced++
	return out, have
}

// describe prepares the digest of an origin for n. It returns false if there is nothing to announce.
func (d *Disseminator) describe(now time.Time, n *Neighbor, o *origin) bool {
	at := d.since(now)
	from := o.floor(at, d.cfg.Keep/marks)
	if from > o.top {
		return false
	}
	from = max(from, o.top-min(o.top, math.MaxUint16))
	g := &d.digest
	*g = digest.Digest{Origin: o.id, Top: o.top, Age: wire.DelayOf(at - o.topAt), Delay: o.delay, Lazy: !o.sendsFull(n), Holes: g.Holes[:0]}
	d.Seen.Missing(o.id, from, o.top, func(first, last uint64) bool {
		if len(g.Holes) == digest.HolesMax {
			from = last + 1
			return false
		}
		g.Holes = append(g.Holes, digest.Hole{Below: uint16(o.top - last), N: uint16(last - first + 1)})
		return true
	})
	g.Below = uint16(o.top - from)
	return true
}

// keptMax is the maximum number of large messages that one heartbeat mentions.
const keptMax = 200

// mentionKept announces to n the large messages that are kept for it, which may be too old for digests, until n shows
// that it has them. Before that, n has had the time to show it by a digest of its own (PROTOCOL.md Q9).
func (d *Disseminator) mentionKept(out []Outcome, now time.Time, n *Neighbor, have *digest.List) []Outcome {
	left := keptMax
	for _, l := range d.kept {
		if left == 0 {
			break
		}
		if !slices.Contains(l.awaited, n) || !l.complete() {
			continue
		}
		if !d.lateAt(l.came[0]).After(now) && !d.lateAt(l.came[1]).After(now) {
			out, have = d.mention(out, n, l.id, true, have)
			left--
		}
	}
	return out
}

// answer shows n that this node already has the messages that n keeps for it.
func (d *Disseminator) answer(out []Outcome, n *Neighbor) []Outcome {
	var have *digest.List
	for _, id := range n.answers {
		out, have = d.mention(out, n, id, false, have)
	}
	n.answers = nil
	return out
}

// mention appends the digest of one message.
func (d *Disseminator) mention(out []Outcome, n *Neighbor, id wire.MessageID, kept bool, have *digest.List) ([]Outcome, *digest.List) {
	d.digest = digest.Digest{Origin: id.Origin(), Top: id.Counter(), Age: wire.DelayMax, Kept: kept, Holes: d.digest.Holes[:0],
		Lazy: !d.origins.byID[id.Origin()].sendsFull(n)}
	return d.write(out, n, have)
}

// AnnounceRecent sends n, whose link has just come up, digests of all recent messages (PROTOCOL.md D4).
func (d *Disseminator) AnnounceRecent(out []Outcome, now time.Time, n *Neighbor) []Outcome {
	return d.announceAll(out, now, n, n.announcedAt)
}
