package antientropy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and counts of what a root causes.
const (
	answersVain   = 2                      // answered rounds, after which a table that is no larger is not asked again
	pause         = 500 * time.Millisecond // between comparisons that heartbeats cause
	calm          = 250 * time.Millisecond // a table that has not changed for so long should be equal to the neighbors'
	mismatchesMax = 2                      // heartbeats in a row with another root, after which a table that keeps changing is compared
	againFirst    = 2 * time.Second        // until two tables are compared again that differed in the end, doubled each time,
	againMax      = 30 * time.Second       // and at most
	againDoubled  = 8                      // times that it is doubled
)

// A difference is two roots that comparisons did not make equal: one node keeps out a member that the other node
// has.
type difference struct {
	latest       uint64 // the last root that the peer sent during a comparison
	ours, theirs uint64
	times        uint8     // in a row
	until        time.Time // before which the same two tables are not compared again
}

// note remembers a comparison that left a difference.
func (d *difference) note(now time.Time, ours uint64) {
	if d.ours != ours || d.theirs != d.latest {
		d.ours, d.theirs, d.times = ours, d.latest, 0
	}
	d.until = now.Add(min(againFirst<<d.times, againMax))
	d.times = min(d.times+1, againDoubled)
}

// inVain reports whether the same two tables were compared lately without success.
func (d *difference) inVain(now time.Time, ours, theirs uint64) bool {
	return d.ours == ours && d.theirs == theirs && now.Before(d.until)
}

// HandleRoot takes in a root. It ends the peer's answer to a part of a comparison, or comes with a heartbeat and
// shows a difference. A difference that stays is worth a comparison. ended reports that the tables are equal, or
// that a comparison has ended with a difference.
func (c *Comparer) HandleRoot(out []Outcome, now time.Time, p *Peer, t *members.Table, theirs wire.SyncRoot, room int) (_ []Outcome, ended bool) {
	p.count = int(theirs.Count)
	switch {
	case theirs.Root == t.Root():
		p.round.end()
		return out, true
	case p.round.active:
		return p.answer(out, now, t, theirs, room)
	case p.differs.inVain(now, t.Root(), theirs.Root):
		return out, false
	}
	p.round.mismatches++
	settled := now.Sub(t.ChangedAt()) >= calm || p.round.mismatches >= mismatchesMax
	if settled && now.Sub(c.began) >= pause {
		out = c.Begin(out, now, p, t, room)
	}
	return out, false
}

// answer takes in the root that ends the peer's answer to a part.
func (p *Peer) answer(out []Outcome, now time.Time, t *members.Table, theirs wire.SyncRoot, room int) (_ []Outcome, ended bool) {
	p.differs.latest = theirs.Root
	r := &p.round
	r.flight = max(r.flight-1, 0)
	if !r.whole() {
		return r.sendParts(out, now, t, room), false
	}
	if r.flight > 0 {
		return out, false
	}
	// The answers left a difference, or other nodes join meanwhile. Tick begins another round, unless that would be in
	// vain: the answers told nothing, or the table of the peer is no larger. Then one node keeps out a member.
	r.answered++
	n := t.Count()
	toldNothing := n > 1 && r.root == t.Root()
	if (toldNothing || r.answered >= answersVain) && int(theirs.Count) <= n {
		p.differs.note(now, t.Root())
		r.end()
		return out, true
	}
	return out, false
}

// HeartbeatsAt returns when to bring the next heartbeats forward after the table has changed at now: when it has
// been calm for a while, so that the neighbors soon find out which of them missed the news.
func (c *Comparer) HeartbeatsAt(now time.Time) time.Time {
	return now.Add(calm + time.Duration(c.rng.Int64N(int64(calm))))
}
