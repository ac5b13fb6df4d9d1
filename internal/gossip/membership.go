package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// entriesBatch is how many entries of a message are taken in together.
const entriesBatch = 16

// membership is what the core needs to take in and to send membership entries.
type membership struct {
	core   *Core
	news   members.News
	timer  timer.Timer               // when the news is sent
	batch  [entriesBatch]wire.Member // scratch: entries being taken in
	entry  wire.Member               // scratch: one entry being written
	behind []*members.Entry          // what the sender of the entries in progress lacks
}

// route is how a membership entry reached this node.
type route uint8

const (
	byNews       route = iota // along a link: this node passes it on if it is new
	byComparison              // by a comparison of tables: the neighbors compare theirs too
)

// handleMembers takes in the entries of one message. If its sender lacks what this node knows, it gets that at once.
func (ms *membership) handleMembers(now time.Time, p *peer, data []byte, how route) {
	c := ms.core
	it := wire.IterMembers(data)
	ms.behind = ms.behind[:0]
	for more := true; more; {
		n := 0
		for n < len(ms.batch) && more {
			if more = it.Next(&ms.batch[n]); more {
				n++
			}
		}
		c.members.Touch(ms.batch[:n])
		for i := range n {
			ms.apply(now, &ms.batch[i], p, how)
		}
	}
	if len(ms.behind) > 0 {
		c.sync.sendEntries(now, p, ms.behind, antientropy.AnswersMax) // a comparison of tables brings the rest
	}
	if it.Err() != nil {
		c.drop(DropMalformedBody)
	}
}

// apply takes in one entry, and passes it on only if it changed what this node knows. from is the peer that sent
// it; nil if this node made it.
func (ms *membership) apply(now time.Time, e *wire.Member, from *peer, how route) {
	c := ms.core
	if e.ID == c.cfg.ID {
		ms.defend(now, e, from)
		return
	}
	if !e.ID.IsGo() {
		c.gateway.apply(now, e, from, how)
		return
	}
	m, verdict := c.members.Weigh(now, e, how == byComparison)
	switch verdict {
	case members.Future:
		c.drop(DropUnexpected)
	case members.Accusation:
		c.stats.EntriesSuspect++
		ms.applySuspect(now, m, e, from)
	case members.Stale:
		c.stats.MembersStale++
	case members.Behind:
		c.stats.MembersStale++
		ms.behind = append(ms.behind, m)
	case members.Hearsay:
		c.stats.EntriesDead++
		ms.applySuspect(now, m, e, from) // the member may refute the death
	case members.Alive:
		c.stats.EntriesAlive++
		if c.push.fits(now, e, from) && !c.push.hold(now, m, e, from, how) {
			ms.applyAlive(now, e, from, how)
		}
		if from != nil && from.id == e.ID {
			c.push.conclude(now, c.push.Introduced(c.push.outcomes, now, &c.members, &from.push))
		}
	case members.Gone:
		c.stats.EntriesDead++
		ms.applyGone(now, e, from, how)
	}
}

// applyAlive adds a member, brings one back, or updates it.
func (ms *membership) applyAlive(now time.Time, e *wire.Member, from *peer, how route) {
	c := ms.core
	if !ms.admissible(now, e, from) {
		return
	}
	claim := c.members.Claim(now, e)
	ms.nameClaimed(now, e, &claim)
	if !claim.Granted {
		return
	}
	change := c.members.SetAlive(now, e, claim)
	m := change.Member
	if change.Returned() {
		c.heal.memberReturned(now, m)
	}
	if c.swim.HandleRefutation(now, m) {
		c.reporter.logRefutation(now, m)
	}
	p := c.peers[m.ID]
	if p != nil {
		p.set.SetAdvertised(m.Addr)
		c.overlay.measured(p, p.packets.RTT())
	}
	if !m.Legacy() {
		c.push.Versions.Note(m.Versions)
	}
	if from != nil && from.id == m.ID && !from.linked {
		from.swim.Guard(now.Add(wardFor))
		c.timers.Advance(&from.timer, now)
	}
	c.events.emit(change)
	c.reporter.logArrival(now, &change)
	c.memberChanged(now)
	ms.spread(now, m, from, how)
	if p != nil {
		c.push.conclude(now, c.push.Admitted(c.push.outcomes, now, &c.members, &p.push))
	}
}

// nameClaimed tells the application and the components of a decision about a name.
func (ms *membership) nameClaimed(now time.Time, e *wire.Member, claim *members.Claim) {
	c := ms.core
	if claim.Conflict {
		other := c.members.MemberOf(e)
		c.events.add(Event{Kind: EventConflict, Member: claim.Holder.Member, Other: &other})
		c.reporter.logConflict(now, claim.Holder, e)
	}
	switch dead := claim.Reserved; {
	case dead != nil:
		c.reporter.warn(now, "held", "the name %q is kept for the node at %s, which failed a short time ago: the node at %s has to wait", e.Name, dead.Addr, e.Addr)
	case claim.EarlierRun():
		ms.memberGone(now, claim.Replaced)
	case claim.Replaced != nil:
		c.swim.EndSuspicion(claim.Replaced)
		c.overlay.Forget(claim.Replaced.ID)
		c.memberChanged(now)
	}
}

// refusal returns why an alive entry must not be taken in, whichever peer sends it, and how that is counted. The
// error is nil if it may be.
func (ms *membership) refusal(e *wire.Member) (Drop, error) {
	c := ms.core
	r := c.members.Refusal(e)
	if r.Address {
		return DropAddress, r.Err
	}
	return DropOversize, r.Err
}

// admissible reports whether an alive entry may be taken in. Otherwise it is counted and logged, and a node that
// has sent its own entry gets no link.
func (ms *membership) admissible(now time.Time, e *wire.Member, from *peer) bool {
	c := ms.core
	d, err := ms.refusal(e)
	if err == nil {
		return true
	}
	c.drop(d)
	c.reporter.warn(now, "refusal "+d.String(), "member %q at %s is not taken in: %v", e.Name, e.Addr, err)
	if from != nil && from.id == e.ID {
		from.push.Vetoed = !c.isLive(e.ID)
	}
	return false
}

// applyGone takes in a death or a departure. News of it does not wait for other news.
func (ms *membership) applyGone(now time.Time, e *wire.Member, from *peer, how route) {
	c := ms.core
	change := c.members.SetGone(now, e)
	ms.memberRemoved(now, change)
	if change.Kind != members.Unseen {
		ms.spread(now, change.Member, from, how)
		c.timers.Advance(&ms.timer, now)
	}
}

// memberRemoved tells the components of a death or a departure, and the application if the node was a live member.
func (ms *membership) memberRemoved(now time.Time, change members.Change) {
	c := ms.core
	ms.memberGone(now, change.Member)
	if change.Kind != members.Unseen {
		c.events.emit(change)
		c.reporter.logRemoval(now, change.Member)
		c.memberChanged(now)
	}
}

// memberGone tells the components that m has become a tombstone, and ends its link. If m is dead it is told so,
// because a node that lives then refutes its death.
func (ms *membership) memberGone(now time.Time, m *members.Entry) {
	c := ms.core
	c.swim.EndSuspicion(m)
	if m.State == wire.StateDead {
		c.heal.memberDied(now)
	}
	c.overlay.Forget(m.ID)
	p := c.peers[m.ID]
	if p == nil {
		return
	}
	p.push.Forget()
	if m.State == wire.StateDead && !c.swim.HearsNobody(now) {
		c.sync.correct(now, p, m)
	}
	c.overlay.unlink(now, p)
}

// declareDead removes a member that this node itself found dead, and spreads that at once.
func (ms *membership) declareDead(now time.Time, m *members.Entry) {
	c := ms.core
	ms.memberRemoved(now, c.members.Fail(now, m, c.cfg.ID))
	ms.spread(now, m, nil, byNews)
	ms.flushNews(now)
}
