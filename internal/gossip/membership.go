package gossip

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newComparisons(c *Core) comparisons {
	return comparisons{core: c, calm: timer.Timer{Fire: c.sync.beatCalm}}
}

// handleMembers handles the entries of one message, and sends newer ones to their sender at once (PROTOCOL.md Y8).
func (ms *membership) handleMembers(now time.Time, p *peer, data []byte, how route) {
	ms.outdated = ms.outdated[:0]
	for e := range ms.core.entries.Received(data) {
		ms.apply(now, e, p, how)
	}
	ms.core.entries.SendEntries(now, &p.Peer, ms.outdated, antientropy.AnswersMax) // a comparison of tables sends the rest
}

// apply handles one entry, and passes it on only if it changed what this node knows. from is the peer that sent the
// entry, or nil if this node made it.
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
		c.drop(stats.DropUnexpected)
	case members.Accusation:
		c.stats.EntriesSuspect++
		ms.applySuspect(now, m, e, from, how)
	case members.Stale:
		c.stats.MembersStale++
	case members.Outdated:
		c.stats.MembersStale++
		ms.outdated = append(ms.outdated, m)
	case members.Unproven:
		c.stats.EntriesDead++
		ms.applySuspect(now, m, e, from, how)
	case members.Alive:
		c.stats.EntriesAlive++
		if c.push.fits(now, e, from) && !c.push.hold(now, m, e, from, how) {
			ms.applyAlive(now, e, from, how)
		}
		if from != nil && from.ID == e.ID {
			c.push.conclude(now, c.push.Introduced(c.push.outcomes, now, &c.members, &from.push))
		}
	case members.Gone:
		c.stats.EntriesDead++
		ms.applyGone(now, e, from, how)
	}
}

// applyAlive adds a member, readmits it, or updates it.
func (ms *membership) applyAlive(now time.Time, e *wire.Member, from *peer, how route) {
	c := ms.core
	if third := from != nil && from.ID != e.ID; !ms.admissible(now, e, from) || third && !c.members.Ration(now, e.ID, &from.brings) {
		return
	}
	claim := c.entries.Claim(now, e)
	ms.nameClaimed(now, e, &claim)
	if !claim.Granted {
		return
	}
	change := c.members.SetAlive(now, e, claim)
	m := change.Member
	if change.Returned() {
		c.heal.MemberReturned(now, m)
	}
	if c.swim.HandleRefutation(now, m) {
		c.report.Refutation(now, m)
	}
	p := c.peers[m.ID]
	if p != nil {
		p.Sessions.SetAdvertised(m.Addr)
		c.overlay.measured(p, p.Packets.RTT())
	}
	if !m.Legacy() {
		c.push.Versions.Note(m.Versions)
	}
	if from != nil && from.ID == m.ID && !from.Linked {
		from.Swim.Guard(now.Add(wardFor))
		c.timers.Advance(&from.Timer, now)
	}
	c.events.Emit(change)
	c.report.Arrival(now, &change)
	if change.Kind == members.Joined && change.Failed != nil {
		c.swim.detect(now, c.swim.NoteBack(c.swim.outcomes, now, change.Failed, change.Restarted))
	}
	c.memberChanged(now)
	ms.spread(now, m, from, how)
	if p != nil {
		c.delivery.Admit(now, &p.Peer)
		c.push.conclude(now, c.push.Admitted(c.push.outcomes, now, &c.members, &p.push))
	}
}

// nameClaimed acts on a decision about a name.
func (ms *membership) nameClaimed(now time.Time, e *wire.Member, claim *members.Claim) {
	c := ms.core
	switch {
	case claim.Contest:
		c.swim.detect(now, c.swim.Contest(c.swim.outcomes, now, claim.Holder, e.ID))
	case claim.Replaced != nil:
		ms.memberGone(now, claim.Replaced)
		ms.spread(now, claim.Replaced, nil, byNews)
	}
}

// succeed decides again about the claim of a new run of holder, if there is one.
func (ms *membership) succeed(now time.Time, holder *members.Entry) {
	if e := ms.core.members.Contender(holder); e != nil {
		ms.applyAlive(now, e, ms.core.peers[e.ID], byNews)
	}
}

// probed decides about the claim of a new run of a member whose probe has ended.
func (ms *membership) probed(now time.Time, a *swim.Action) {
	switch a.Kind {
	case swim.ProbeFailed:
		ms.succeed(now, a.Member)
	case swim.ProbeAnswered:
		ms.core.entries.Dismiss(now, a.Member)
	}
}

// refused reports whether the peer with an id was refused as a member, or is at an address that no member may have.
func (c *Core) refused(id wire.NodeID) bool {
	p := c.peers[id]
	switch {
	case p == nil:
		return false
	case p.push.Vetoed:
		return true
	}
	return c.cfg.Allow != nil && !c.cfg.Allow(p.Sessions.Path().Remote.Addr())
}

// admissible reports whether an alive entry may be accepted. If a node sent its own entry and it may not be accepted, the
// node gets no link.
func (ms *membership) admissible(now time.Time, e *wire.Member, from *peer) bool {
	ok := ms.core.entries.Admissible(now, e)
	if !ok && from != nil && from.ID == e.ID {
		from.push.Vetoed = !ms.core.isLive(e.ID)
	}
	return ok
}

// applyGone handles a death or a departure. It is passed on at once, without waiting for other news.
func (ms *membership) applyGone(now time.Time, e *wire.Member, from *peer, how route) {
	c := ms.core
	change := c.members.SetGone(now, e)
	ms.memberRemoved(now, change)
	if change.Kind != members.Unseen {
		ms.spread(now, change.Member, from, how)
		c.entries.Hurry(now)
	}
}

// memberRemoved notifies the components of a death or a departure, and the application if the node was a live member.
func (ms *membership) memberRemoved(now time.Time, change members.Change) {
	c := ms.core
	if p := c.peers[change.Member.ID]; p != nil && p.Linked {
		change.Heard, change.DeafSince = p.Swim.Heard, p.Swim.DeafSince()
	}
	ms.memberGone(now, change.Member)
	if change.Kind != members.Unseen {
		c.events.Emit(change)
		c.report.Removal(now, &change)
		if m := change.Member; m.State == wire.StateDead && !m.Legacy() {
			c.swim.NoteFailed(now, m)
		}
		c.memberChanged(now)
	}
}

// memberGone notifies the components that m has become a tombstone, and ends its link. If m is dead, its entry is sent
// to m, because a node that is alive then refutes its death.
func (ms *membership) memberGone(now time.Time, m *members.Entry) {
	c := ms.core
	c.swim.EndSuspicion(m)
	if m.State == wire.StateDead {
		c.heal.MemberDied(now)
	}
	c.overlay.Forget(m.ID)
	p := c.peers[m.ID]
	if p == nil {
		return
	}
	p.push.Forget()
	if m.State == wire.StateDead && !c.swim.HearsNobody(now) {
		c.entries.Correct(now, &p.Peer, m)
	}
	c.overlay.unlink(now, p)
}

// declareDead removes a member that this node itself found dead, and sends that to all links at once.
func (ms *membership) declareDead(now time.Time, m *members.Entry) {
	c := ms.core
	change := c.members.Fail(now, m, c.cfg.ID)
	if ms.succeed(now, m); c.members.Named(m.Name) == nil {
		ms.memberRemoved(now, change)
		ms.spread(now, m, nil, byNews)
	}
	ms.core.entries.FlushNews(now)
}

// membersOverhead is the maximum size in bytes of a message of entries without the entries.
const membersOverhead = 64

// spread queues the entry of m for the links, unless the entry came from a comparison of tables.
func (ms *membership) spread(now time.Time, m *members.Entry, from *peer, how route) {
	if how == byNews {
		ms.core.entries.Spread(now, m, idOf(from))
	}
}

// handleSyncRoot handles a root, and the time since p heard this node.
func (cs *comparisons) handleSyncRoot(now time.Time, p *peer, data []byte) {
	c := cs.core
	theirs, err := wire.ParseSyncRoot(data)
	if err != nil {
		c.drop(stats.DropMalformedBody)
		return
	}
	if theirs.Next > 0 {
		p.Swim.SetInterval(time.Duration(theirs.Next)*time.Millisecond, c.cfg.Detection.ProbeInterval)
	}
	c.swim.detect(now, c.swim.HearReport(c.swim.outcomes, now, &p.Swim, time.Duration(theirs.Heard)*time.Millisecond, p.Packets.RTT()))
	if c.entries.ReceiveRoot(now, &p.Peer, theirs) {
		c.joins.conclude(now, c.joins.Compared(c.joins.outcomes, now, p.ID))
	}
}

// tickSync continues a comparison that has no answer, or whose answer left a difference. It returns the time of the
// next call.
func (cs *comparisons) tickSync(now time.Time, p *peer) time.Time {
	c := cs.core
	due := p.Sync.NextTimeout()
	if due.IsZero() || due.After(now) {
		return due
	}
	if c.hs.Unwritten(p.Sessions.Path().Remote) {
		return now.Add(antientropy.Retry)
	}
	if c.entries.Tick(now, &p.Peer, c.joins.WaitFor(p.ID)) {
		c.joins.conclude(now, c.joins.Compared(c.joins.outcomes, now, p.ID))
	}
	return p.Sync.NextTimeout()
}

// beatCalm sends heartbeats early once the table has changed and then been stable, so that a neighbor that lacks an
// entry finds out soon.
func (cs *comparisons) beatCalm(now time.Time) {
	c := cs.core
	for _, p := range c.links {
		c.overlay.heartbeat(now, p)
	}
}

// SetMeta changes the metadata of this node and sends it along the links at once. It keeps a copy of meta. If it
// returns an error, the metadata does not fit into a datagram and has not changed.
func (c *Core) SetMeta(now time.Time, meta []byte) error {
	changed, err := c.members.SetMeta(meta, c.membership.entryRoom())
	if err != nil || !c.members.Self().Live() { // a node that has left sends its metadata when it joins again
		return err
	}
	c.membership.renewSelf(now, c.members.Self().Incarnation)
	c.entries.FlushNews(now)
	if changed {
		c.events.EmitMember(event.Update, c.members.Self())
	}
	return nil
}

// entryRoom returns the maximum size of an entry in bytes. A longer entry does not fit into a datagram, so no node
// could pass it on.
func (ms *membership) entryRoom() int {
	return ms.core.cfg.DatagramSize - wire.BoxOverhead - membersOverhead
}

// Readdress changes the address of this node and announces it to the other nodes (PROTOCOL.md J6).
func (c *Core) Readdress(now time.Time, to netip.AddrPort) {
	if to == c.cfg.Advertise || !to.IsValid() || to.Port() == 0 {
		return
	}
	c.cfg.Advertise, c.members.Self().Addr = to, to
	c.hs.SetAdvertise(to)
	if c.members.Self().Live() {
		c.membership.renewSelf(now, 0)
		c.events.EmitMember(event.Update, c.members.Self())
	}
}

// renewSelf gives this node an incarnation above its own and above the given one, and sends its entry to all links.
func (ms *membership) renewSelf(now time.Time, above uint64) {
	ms.core.members.Renew(now, above)
	ms.selfChanged(now)
}

// selfChanged sends a new incarnation of this node to all links.
func (ms *membership) selfChanged(now time.Time) {
	c := ms.core
	c.hs.SetIncarnation(c.members.Self().Incarnation)
	c.memberChanged(now)
	ms.spread(now, c.members.Self(), nil, byNews)
}

// refute gives this node an incarnation that ends all suspicions of its incarnations up to above, and of earlier ones of its
// own. Other nodes take it as proof that this node received the accusation, so nothing else may do it.
func (ms *membership) refute(now time.Time, above uint64) {
	ms.core.members.Refute(now, above)
	ms.selfChanged(now)
}

// memberChanged must be called after every change of the live members.
func (c *Core) memberChanged(now time.Time) {
	c.members.NoteChange(now)
	c.timers.Set(&c.sync.calm, c.entries.Comparer.HeartbeatsAt(now))
	c.overlay.MembersChanged(now)
	c.overlay.conclude(now, nil)
}
