package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A node learns which neighbors bring the messages of an origin first (docs/PROTOCOL.md, "Paths"). It follows one
// message at a time, the probe: its copies, and the digests that announce it, show how much later than the first each
// neighbor is.
const (
	exploreEvery = 64 // a message whose counter is a multiple of this is flooded, so that the choice follows the network

	probeEvery   = 200 * time.Millisecond // minimum time between two probes of one origin
	probeSlack   = 10 * time.Millisecond  // time for the copies of a probe to arrive, beyond two round trips
	probeWaitMax = time.Second
	learnFast    = 3 // number of first messages that are probes regardless of probeEvery
)

// Own records a message of this node.
func (d *Disseminator) Own(now time.Time, id *wire.MessageID) {
	d.Seen.First(now, id, nil)
	d.met(now, nil, id)
}

// First records that the first copy of a small message arrived from n, which had it after delay. It returns the delay of
// the message at this node.
func (d *Disseminator) First(now time.Time, n *Neighbor, id *wire.MessageID, delay wire.Delay) wire.Delay {
	if !n.linked {
		d.met(now, nil, id)
		return delay
	}
	d.endDueProbes(now)
	own := wire.Delay(min(int(delay)+int(n.half()), wire.DelayMax))
	o := d.met(now, n, id)
	requested := d.came(now, n, *id)
	if o == nil {
		return own
	}
	if n.remote && !explores(id, n) {
		o.entered = true
		o.carries = o.carries || requested
	}
	if requested { // its arrival says nothing about the paths
		return own
	}
	returned := o.crossing && !n.remote // to the neighbors of its zone
	if own < o.delay || o.delay == 0 || returned {
		o.delay, o.crossing = own, n.remote
	} else {
		o.delay += (own - o.delay) / lateWeight
	}
	d.begin(now, o, id.Counter())
	d.sample(now, o, n, id.Counter(), delay)
	return own
}

// Duplicate records a further copy of a small message from n. If n should not have sent it, n is asked to become lazy.
func (d *Disseminator) Duplicate(now time.Time, n *Neighbor, id *wire.MessageID, delay wire.Delay) {
	if !n.linked {
		return
	}
	d.endDueProbes(now)
	o := d.origins.byID[id.Origin()]
	if o == nil || !id.HasOrigin() {
		return
	}
	d.sample(now, o, n, id.Counter(), delay)
	if id.Counter() == o.top && o.marks[0]+1 >= o.top { // there is no message before it that n may lack
		d.showed(o, n)
	}
	p := d.origins.path(o, n.slot)
	wanted := p.is(parent) || !o.chosen || explores(id, n)
	if !wanted && !n.repliesToRequest(now) {
		p.set(pruned, true)
		d.steer(now, o, n)
	}
}

// explores reports whether a neighbor is sent a full copy of a message even if it takes none of the origin's messages.
// Digests show how late neighbors of other zones are, so few copies cross zones to explore.
func explores(id *wire.MessageID, n *Neighbor) bool {
	return id.Counter()%exploreEvery == 0 && (!n.remote || id.Counter()/exploreEvery%exploreEvery == 0)
}

// met records a message and returns its origin, or nil if the origin has no state. n is the neighbor it came from; nil
// for a message of this node.
func (d *Disseminator) met(now time.Time, n *Neighbor, id *wire.MessageID) *origin {
	d.passed++
	if !id.HasOrigin() {
		return nil
	}
	o := d.originOf(now, id)
	if o == nil {
		return nil
	}
	at, counter := d.since(now), id.Counter()
	o.advance(at, d.cfg.Keep/marks)
	o.metAt = at
	d.origins.touch(o)
	if counter > o.top {
		o.top, o.topAt, o.topFrom = counter, at, -1
		if n != nil {
			o.topFrom = int16(n.slot)
		}
	}
	if d.news.IsZero() {
		d.news = now
	}
	for i := range o.paths {
		if o.paths[i].is(soon) && d.slots[i] != n && d.slots[i] != nil {
			d.schedule(now, o, d.slots[i])
		}
	}
	return o
}

// begin makes a message the probe of its origin if a probe is due.
func (d *Disseminator) begin(now time.Time, o *origin, counter uint64) {
	at := d.since(now)
	often := o.count >= learnFast && counter%exploreEvery != 0 && at-o.probeAt < probeEvery
	if o.probing || often {
		return
	}
	o.count = min(o.count+1, learnFast)
	o.probe, o.probeAt, o.probing = counter, at, true
	for i := range o.paths {
		o.paths[i].set(sampled, false)
	}
	longest := time.Duration(0)
	for _, n := range d.neighbors {
		longest = max(longest, n.RTT)
	}
	o.probeEnds = at + min(2*longest+probeSlack, probeWaitMax)
	if n := len(d.learning); n > 0 {
		o.probeEnds = max(o.probeEnds, d.learning[n-1].probeEnds)
	}
	d.learning = append(d.learning, o)
}

// sample learns from a copy of a message from n.
func (d *Disseminator) sample(now time.Time, o *origin, n *Neighbor, counter uint64, delay wire.Delay) {
	p := d.origins.path(o, n.slot)
	p.delay = delay
	if counter == o.probe && !p.is(sampled) {
		p.sample(d.since(now) - o.probeAt)
		p.set(sampled, true)
	}
}

// endDueProbes ends the probes whose time has passed. The next input does that early enough, so it needs no timer.
func (d *Disseminator) endDueProbes(now time.Time) {
	for len(d.learning) > 0 && d.learning[0].probeEnds <= d.since(now) {
		o := d.learning[0]
		if d.learning = d.learning[1:]; len(d.learning) == 0 {
			d.learning = nil
		}
		d.endProbe(now, o)
	}
}

// endProbe learns from a probe whose copies have arrived, and chooses the parents (PROTOCOL.md Q2).
func (d *Disseminator) endProbe(now time.Time, o *origin) {
	o.probing = false
	if o.gone {
		return
	}
	for i := range o.paths {
		switch p := &o.paths[i]; {
		case p.is(sampled):
			p.setMisses(0)
		case p.is(parent):
			p.setMisses(p.misses() + 1)
		}
	}
	o.carries, o.entered = o.entered, false
	d.choose(now, o)
}
