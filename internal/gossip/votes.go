package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// hold keeps an alive entry until the application has decided about it. It returns false if the application need not be
// asked. An entry that says of a member only that it is alive is not asked about, because a refutation must not wait.
func (x *exchanges) hold(now time.Time, m *members.Entry, e *wire.Member, from *peer, how route) bool {
	c := x.core
	if !c.cfg.AskAlive || m != nil && m.Live() && pushpull.SameNode(&m.Member, e) {
		return false
	}
	about := c.peers[e.ID]
	if about != nil && about.push.Approved(e) {
		return false
	}
	if !c.membership.admissible(now, e, from) {
		return true
	}
	entry := pushpull.Entry{Member: c.members.MemberOf(e), Synced: how == byComparison}
	if from != nil {
		entry.From = from.id
		if j := c.joins.with(from); j != nil {
			entry.Join = &j.push
		}
	}
	x.conclude(now, x.AskAlive(x.outcomes, entry, about.pushPeer(), from.pushPeer()))
	return true
}

// pushPeer is what the Exchanger keeps about a peer; nil for none.
func (p *peer) pushPeer() *pushpull.Peer {
	if p == nil {
		return nil
	}
	return &p.push
}

// AnswerAlive answers an EventAliveAsked. An error keeps the node out.
func (c *Core) AnswerAlive(now time.Time, t VoteToken, veto error) {
	out, ok := c.push.AnswerNode(c.push.outcomes, now, &c.members, t, veto)
	if c.push.conclude(now, out); ok {
		return
	}
	v := c.push.AnswerAlive(t, veto)
	if v == nil {
		return
	}
	p := c.peers[v.ID]
	if p != nil {
		c.push.Decided(&c.members, &p.push, veto)
	}
	if veto != nil {
		c.reporter.warn(now, "alive", "%q at %s is kept out: %q", v.Name, v.Addr, veto.Error())
	} else {
		c.push.admit(now, v)
	}
	if newer := v.Newer(); newer != nil {
		c.push.conclude(now, c.push.Ask(c.push.outcomes, newer, c.peers[newer.ID].pushPeer()))
	} else if v.Subscribes() && p != nil {
		c.overlay.handleStart(now, p)
	}
	if p != nil {
		c.push.release(now, p)
	}
	c.push.verdictGiven(now, v, p, veto)
}

// verdictGiven goes on with the Join in which an entry was learned. Where there is none, the node may be joining and
// wait for tables that agree.
func (x *exchanges) verdictGiven(now time.Time, v *pushpull.Vote, p *peer, veto error) {
	c := x.core
	if v.Join != nil {
		v.Join.Votes--
		if j := c.joins.ofPart(v.Join); j != nil {
			x.noteVerdicts(now, j)
			c.joins.settle(now, j)
		}
		return
	}
	if p != nil && !p.linked && veto == nil && p.set.Current(now) != nil {
		c.sync.sendRoot(now, p)
	}
}

// noteVerdicts goes on with the comparison of a Join after the last verdict, because the peer's root came before it. The
// comparison has ended if the verdicts have made the tables equal. Otherwise it begins again.
func (x *exchanges) noteVerdicts(now time.Time, j *join) {
	c := x.core
	p := c.peers[j.Peer()]
	if j.push.Votes > 0 || j.Compared() || p == nil || !p.sync.Active() || p.sync.Waiting() {
		return
	}
	if p.sync.LastRoot() == c.members.Root() {
		p.sync.End()
		c.joins.compared(now, p)
		return
	}
	c.sync.compareAgain(now, p)
}

// isLive reports whether a node is a live member. What is new about a live member may be refused, but the member stays.
func (c *Core) isLive(id wire.NodeID) bool { return c.members.IsLive(id) }

// admit takes in an entry that the application has decided about.
func (x *exchanges) admit(now time.Time, v *pushpull.Vote) {
	c := x.core
	var e wire.Member
	(&members.Entry{Member: v.Member}).Fill(&e)
	m := c.members.Get(e.ID)
	if m != nil && !m.SupersededBy(&e) {
		c.stats.MembersStale++
		return
	}
	how := byNews
	if v.Synced {
		how = byComparison
	}
	c.membership.applyAlive(now, &e, c.peers[v.From], how)
}

// fits reports whether an alive entry is of a node that understands all members, and is understood by them.
func (x *exchanges) fits(now time.Time, e *wire.Member, from *peer) bool {
	c := x.core
	fit := x.Fits(now, &c.members, e, from.pushPeer())
	if s := fit.Stranger; s != nil {
		c.reporter.warn(now, "versions", "%q at %s is kept out: %v", e.Name, e.Addr, pushpull.Disagreement(string(e.Name), e.Versions, s))
	}
	return fit.OK
}
