package broadcast

import (
	"cmp"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of announcements from neighbors and of requests (docs/PROTOCOL.md, "Repair by digests").
const (
	// MissingMax is the maximum number of announced messages that a node waits for.
	MissingMax = 1 << 15
	// AnnouncedMax is the maximum number of these that one neighbor announced first.
	AnnouncedMax = MissingMax / 4
	// AnnouncedKeep is the maximum time that a node waits for an announced message.
	AnnouncedKeep = 2 * time.Minute

	countersMax = 1 << 18 // maximum counters in the digests of one neighbor within countersFor
	countersFor = 100 * time.Millisecond
	openMax     = 128              // maximum open requests to one neighbor: half of what it may begin to send
	wantMax     = 45               // maximum pieces in one Want, so that it fits into any datagram
	triesMax    = 5                // maximum requests for one message from one neighbor
	knownBy     = 32               // maximum neighbors remembered to have one message
	rangesMax   = 32               // maximum missing ranges of one message requested at once
	pauseMax    = 10 * time.Second // maximum pause after a request
	coldTrips   = 6                // round trips that a link takes to find its rate, which doubles in each of them
	shareUntil  = 4                // a message is shared between two neighbors if less than this part of it has arrived
)

// HandleAnnouncements processes the body of a Have. Announced messages that do not arrive in time are requested later.
func (d *Disseminator) HandleAnnouncements(now time.Time, n *Neighbor, data []byte) {
	entries, err := wire.ParseHave(data)
	switch {
	case err != nil:
		d.Stats.Malformed++
		return
	case !n.linked:
		d.Stats.Unexpected++
		return
	}
	for have := digest.ListOf(entries); have.Size() > 0; {
		if !have.Next(&d.digest) {
			d.Stats.Malformed++
			return
		}
		if !n.mayDigest(now, int(d.digest.Below)+1) {
			d.Stats.Overflow++
			return
		}
		d.takeDigest(now, n, &d.digest)
	}
}

// mayDigest reports whether the digests of n may name that many more counters. The bound limits the processing time.
func (n *Neighbor) mayDigest(now time.Time, counters int) bool {
	if now.Sub(n.digestsSince) > countersFor {
		n.digestsSince, n.digestCounters = now, 0
	}
	n.digestCounters += counters
	return n.digestCounters <= countersMax
}

// takeDigest processes a digest of n like a copy of its top message, and records which messages are missing.
func (d *Disseminator) takeDigest(now time.Time, n *Neighbor, g *digest.Digest) {
	if id := wire.BroadcastID(g.Origin, 0); !id.HasOrigin() {
		d.Stats.Unexpected++
		return
	}
	came := now.Add(-g.Age.Duration()) // when a copy of the top message would have arrived from n
	if g.Offer {
		d.lookup(wire.BroadcastID(g.Origin, g.Top)).Shown(n)
		d.offered(now, n, g)
		return
	}
	d.noticeLarge(n, g)
	if top := wire.BroadcastID(g.Origin, g.Top); g.Kept && d.Seen.Has(&top) && len(n.answers) < keptMax {
		n.answers = append(n.answers, top)
		d.wake(now)
	}
	if g.Origin == d.cfg.Self {
		return
	}
	late := -n.RTT
	o := d.origins.byID[g.Origin]
	if o != nil {
		p := d.origins.path(o, n.slot)
		if g.Top >= o.top && len(g.Holes) == 0 {
			d.showed(o, n)
		}
		if g.Age < wire.DelayMax && g.Top == o.probe {
			p.delay = g.Delay
			p.sample(d.since(came) - o.probeAt)
		}
		switch { // the digest may contradict what this node asked for
		case g.Lazy && p.is(parent):
			d.steer(now, o, n)
		case !g.Lazy && p.is(pruned):
			d.steerLater(o, n)
		}
		if p.is(known) {
			late = time.Duration(p.late) * wire.DelayUnit
		}
	}
	due := came.Add(d.grace.length - late)
	if due.Before(now) {
		due = now
	}
	left := AnnouncedMax
	d.Seen.Missing(g.Origin, g.Top-uint64(g.Below), g.Top, func(first, last uint64) bool {
		for c := last; c >= first && left > 0; c-- {
			if g.Has(c) {
				left--
				d.announced(now, n, wire.BroadcastID(g.Origin, c), due)
			}
			if c == 0 {
				break
			}
		}
		return left > 0
	})
}

// offered handles an offer (PROTOCOL.md Q16): the node takes the first one, shares the message with one more neighbor, and
// answers every neighbor which stripes it takes from it.
func (d *Disseminator) offered(now time.Time, n *Neighbor, g *digest.Digest) {
	id := wire.BroadcastID(g.Origin, g.Top)
	own, o := g.Origin == d.cfg.Self, d.originOf(now, &id)
	here := own || d.Seen.Has(&id)
	switch {
	case here:
	case o == nil: // no room for its paths
		d.announced(now, n, id, now)
	default:
		d.announced(now, n, id, now.Add(d.pause(n)))
	}
	if o == nil {
		return
	}
	d.wake(now)
	p := d.origins.path(o, n.slot)
	l := d.lookup(id)
	late := here || l != nil && l.pieces.Size() >= l.total/shareUntil
	switch {
	case own:
	case !o.striped:
		o.takeFirst(n, g.Delay)
	case o.qualifies(n, g.Delay) && o.share(d.neighbors, n, id, late):
		return
	}
	if here {
		id = wire.BroadcastID(o.id, id.Counter()+1)
	}
	n.state(id, p.takes())
}

// noticeLarge records that n has the large messages that a digest covers.
func (d *Disseminator) noticeLarge(n *Neighbor, g *digest.Digest) {
	for _, l := range d.keptOf[g.Origin] {
		if !l.released && g.Has(l.id.Counter()) {
			l.has(n)
		}
	}
}

// announced records that n has a message, or a part of it, that is missing on this node.
func (d *Disseminator) announced(now time.Time, n *Neighbor, id wire.MessageID, due time.Time) {
	t := &d.missing
	m := t.byID[id]
	if m == nil {
		if len(t.byID) >= MissingMax || n.expected >= AnnouncedMax {
			d.Stats.Overflow++
			return
		}
		n.expected++
		m = &missing{id: id, first: n, since: now, due: due}
		t.byID[id] = m
		t.push(m)
	}
	if len(m.by)+len(m.requested) < knownBy && !slices.Contains(m.by, n) && !slices.Contains(m.requested, n) {
		m.by = append(m.by, n)
	}
}

// IsAnnounced reports whether a neighbor has announced a message that has not arrived.
func (d *Disseminator) IsAnnounced(id wire.MessageID) bool { return d.missing.byID[id] != nil }

// request requests the missing messages that are due (PROTOCOL.md Q10).
func (d *Disseminator) request(out []Outcome, now time.Time) []Outcome {
	t := &d.missing
	for len(t.heap) > 0 && !t.heap[0].due.After(now) {
		m := t.heap[0]
		if !d.requestDue(now, m) {
			d.forget(m)
			continue
		}
		t.fix(m)
		if n := m.of; n != nil && n.want.Len() > wantMax-rangesMax {
			out = d.sendRequest(out, now, n)
		}
	}
	for _, n := range d.neighbors {
		if n.want.Len() > 0 {
			out = d.sendRequest(out, now, n)
		}
	}
	return out
}

func (d *Disseminator) sendRequest(out []Outcome, now time.Time, n *Neighbor) []Outcome {
	d.Stats.Requested += uint64(n.want.Len())
	n.requested = now
	want := n.want
	n.want = wire.Want{}
	return append(out, Outcome{Kind: SendRequest, To: n, Want: &want})
}

// requestDue requests a message that is due from one neighbor, unless pieces of it are arriving. It sets the message's next
// due time, or returns false if no further request is needed.
func (d *Disseminator) requestDue(now time.Time, m *missing) bool {
	if d.Seen.Has(&m.id) {
		return false
	}
	l := d.lookup(m.id)
	if m.absent = l == nil; m.absent {
		return d.requestFrom(now, m, nil)
	}
	rtt := longestRTT(l)
	pause := rtt + max(rtt, reportPause) + d.grace.length
	if m.of != nil {
		pause = max(pause, d.pause(m.of))
	}
	if len(l.from) > 0 {
		l.fromOne(d.Takes(m.id.Origin(), l.from[0]))
	}
	stripes, due := l.stalled(now, pause)
	if stripes == 0 && !due.IsZero() { // pieces are arriving
		m.due = due
		return true
	}
	m.stalled = stripes
	m.failed = 2*l.left(stripes) >= l.size(stripes)
	return d.requestFrom(now, m, l)
}

// reportPause is the time, or a round trip if that is longer, between two reports (docs/PROTOCOL.md, T1). A neighbor that
// has not found its rate waits for a report after its first pieces.
const reportPause = 20 * time.Millisecond

// longestRTT returns the longest round-trip time to the neighbors that send a message.
func longestRTT(l *Large) (longest time.Duration) {
	for _, f := range l.from {
		longest = max(longest, f.RTT)
	}
	return longest
}

// requestFrom requests a message, or its rest, from the nearest neighbor that has it and has no request for it in this turn.
func (d *Disseminator) requestFrom(now time.Time, m *missing, l *Large) bool {
	if m.of != nil {
		m.of.unanswered(now, m.at)
		m.of.open--
		m.of = nil
	}
	if m.tries >= triesMax*(len(m.by)+len(m.requested)) || now.Sub(m.since) > AnnouncedKeep {
		d.Stats.Abandoned++
		return false
	}
	turn := m.tries / max(1, len(m.by)+len(m.requested))
	if len(m.by) == 0 {
		m.by, m.requested = m.requested, nil
	}
	n := d.nearest(m, l)
	if n.open >= openMax { // it has enough open requests
		m.due = now.Add(d.pause(n))
		return true
	}
	m.by = slices.DeleteFunc(m.by, func(o *Neighbor) bool { return o == n })
	m.requested = append(m.requested, n)
	m.tries++
	m.of, m.at = n, now
	n.open++
	m.due = now.Add(min(d.pause(n)<<turn, pauseMax))
	if l == nil {
		n.want.Add(&m.id, 0, wholeMessage)
		return true
	}
	left := rangesMax
	l.gaps(m.stalled, func(from, to uint32) bool {
		n.want.Add(&m.id, from, to)
		left--
		return left > 0
	})
	return true
}

// nearest returns the neighbor that is asked next for a missing message. A stripe that has stalled is requested from
// another neighbor than the one that should send it, if there is one. For the rest of a large message, a neighbor that has
// sent nothing of it counts as further away, because its link may still have to find its rate.
func (d *Disseminator) nearest(m *missing, l *Large) *Neighbor {
	failed := func(n *Neighbor) int { return int(d.Takes(m.id.Origin(), n) & m.stalled) }
	wait := func(n *Neighbor) time.Duration {
		if l == nil || slices.Contains(l.from, n) {
			return d.pause(n)
		}
		return coldTrips * d.pause(n)
	}
	return slices.MinFunc(m.by, func(a, b *Neighbor) int {
		return cmp.Or(cmp.Compare(failed(a), failed(b)), cmp.Compare(wait(a), wait(b)))
	})
}

// wholeMessage is the end of a request for an entire message of unknown length.
const wholeMessage = 1<<32 - 1

// pause returns the time that n has to answer a request.
func (d *Disseminator) pause(n *Neighbor) time.Duration {
	return min(max(2*n.RTT+d.grace.length, n.patience), pauseMax)
}

// unanswered gives n more time for the next request. Of several simultaneous requests, only one counts.
func (n *Neighbor) unanswered(now, requested time.Time) {
	if !requested.Before(n.impatient) { // the next request is sent in the moment in which patience grows
		n.patience, n.impatient = min(2*max(n.patience, graceMin), pauseMax), now
	}
}

// repliesToRequest reports whether a message from n may be the answer to a request.
func (n *Neighbor) repliesToRequest(now time.Time) bool {
	return now.Sub(n.requested) < 4*n.RTT+graceMin
}

// came records that n sent a message, or its first piece of one, and reports whether the message was requested. A
// neighbor that answers a request becomes a parent.
func (d *Disseminator) came(now time.Time, n *Neighbor, id wire.MessageID) (requested bool) {
	m := d.missing.byID[id]
	if m == nil {
		d.grace.relax(now)
		return false
	}
	switch of := m.of; {
	case of == n:
		d.Stats.Repaired++
		n.patience = max(n.patience*7/8, min(2*now.Sub(m.at), pauseMax))
		d.adopt(now, n, id)
	case of != nil && m.stalled == 0:
		d.grace.tooEarly(now)
	}
	requested = m.tries > 0
	if d.Seen.Has(&id) {
		d.forget(m)
	}
	return requested
}

// forget stops waiting for a message.
func (d *Disseminator) forget(m *missing) {
	if m.of != nil {
		m.of.open--
	}
	if m.first != nil {
		m.first.expected--
	}
	delete(d.missing.byID, m.id)
	d.missing.remove(m)
}
