package antientropy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// HandleRoot handles a root that ends the peer's answer to a part of a comparison, or that came with a heartbeat. It begins
// a comparison if a difference persists. ended reports that the tables are equal, or that a comparison has ended with a difference
// (PROTOCOL.md Y7).
func (c *Comparer) HandleRoot(out []Outcome, now time.Time, p *Peer, t *members.Table, theirs wire.SyncRoot, room int) (_ []Outcome, ended bool) {
	p.count = int(theirs.Count)
	switch {
	case theirs.Root == t.Root(theirs.Salt):
		p.round.end()
		return out, true
	case p.round.active:
		return p.answer(out, now, t, theirs, room)
	case p.differs.inVain(now, ownRoot(t), theirs.Root):
		return out, false
	}
	p.round.mismatches++
	settled := now.Sub(t.ChangedAt()) >= calm || p.round.mismatches >= mismatchesMax
	wait := pause
	if t.Crowded() { // crowded tables differ all the time, because each took in other members
		wait = crowdedPause
	}
	if settled && now.Sub(c.began) >= wait {
		out = c.Begin(out, now, p, t, room)
	}
	return out, false
}

// answer handles the root that ends the peer's answer to a part (PROTOCOL.md Y6).
func (p *Peer) answer(out []Outcome, now time.Time, t *members.Table, theirs wire.SyncRoot, room int) (_ []Outcome, ended bool) {
	p.differs.latest, p.differs.salt = theirs.Root, theirs.Salt
	r := &p.round
	r.flight = max(r.flight-1, 0)
	if !r.whole() {
		return r.sendParts(out, now, t, room), false
	}
	if r.flight > 0 {
		return out, false
	}
	// The answers left a difference, or other nodes are joining. Tick begins another round, unless that would be useless:
	// the answers changed nothing and the peer's table is no larger. Then one node refuses a member of the other.
	r.answered++
	n := t.Count()
	toldNothing := n > 1 && r.root == ownRoot(t)
	if (toldNothing || r.answered >= answersVain) && int(theirs.Count) <= n {
		p.differs.note(now, ownRoot(t))
		r.end()
		return out, true
	}
	return out, false
}

// HeartbeatsAt returns when to send the next heartbeats early after the table has changed at now: once it has been
// stable for a while, so that neighbors that missed the change find out soon.
func (c *Comparer) HeartbeatsAt(now time.Time) time.Time {
	return now.Add(calm + time.Duration(c.rng.Int64N(int64(calm))))
}
