package antientropy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

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
