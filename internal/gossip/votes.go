package gossip

import (
	"bytes"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// VoteToken names a question about a node in the event that asks it and the command that answers it.
type VoteToken uint64

// votesMax bounds the names that wait for a verdict.
const votesMax = 1024

// vote is an alive entry that waits for the application's verdict.
type vote struct {
	token VoteToken
	entry Member
	from  wire.NodeID
	how   origin
	join  *join // in which it was learnt; nil for none
	start bool  // the node has asked to subscribe meanwhile
	newer *vote // what came after it
}

// votes are the entries that wait.
type votes struct {
	last    VoteToken
	byName  map[string]*vote
	byToken map[VoteToken]*vote
	rolls   map[VoteToken]*exchange // whose peers wait for a verdict
}

// heldForVerdict keeps an alive entry until the application has decided, if it wants to. What tells
// nothing new of a member but that it lives is not asked about: its refutation shall not wait.
func (c *Core) heldForVerdict(now time.Time, m *members.Entry, e *wire.Member, from *peer, how origin) bool {
	if !c.cfg.AskAlive || m != nil && m.Live() && sameNode(&m.Member, e) || c.isApproved(e) {
		return false
	}
	if !c.admissible(now, e, from) {
		return true
	}
	v := &vote{entry: c.members.MemberOf(e), how: how}
	if from != nil {
		v.from, v.join = from.id, c.joinWith(from)
	}
	if before := c.votes.byName[v.entry.Name]; before != nil {
		if v.entry.Incarnation > before.latest().entry.Incarnation {
			before.newer = v
		}
		if from != nil && from.id == before.entry.ID {
			from.vote = before
		}
		return true
	}
	if len(c.votes.byName) >= votesMax {
		c.drop(DropQueueFull)
		return true
	}
	c.askAlive(v)
	return true
}

// sameNode reports whether an entry says of a member what is known already.
func sameNode(m *Member, e *wire.Member) bool {
	return m.Name == string(e.Name) && m.Addr == e.Addr && m.Versions == e.Versions && m.Zone.Valid == e.HasZone &&
		m.Zone.Name == string(e.ZoneName) && bytes.Equal(m.Meta, e.Meta)
}

// isApproved reports whether the application has admitted an entry when its node joined.
func (c *Core) isApproved(e *wire.Member) bool {
	p := c.peers[e.ID]
	return p != nil && p.approved != nil && p.approved.Incarnation == e.Incarnation && sameNode(p.approved, e)
}

// latest is the newest of the entries of one name.
func (v *vote) latest() *vote {
	if v.newer != nil {
		return v.newer
	}
	return v
}

// joinWith is the Join that takes in the members of p; nil for none.
func (c *Core) joinWith(p *peer) *join {
	for _, j := range c.joins {
		if j.peer == p && j.agreed && !j.synced {
			return j
		}
	}
	return nil
}

// askAlive asks the application about an entry.
func (c *Core) askAlive(v *vote) {
	x := &c.votes
	if x.byName == nil {
		x.byName, x.byToken = make(map[string]*vote), make(map[VoteToken]*vote)
	}
	x.last++
	v.token = x.last
	x.byName[v.entry.Name], x.byToken[v.token] = v, v
	if p := c.peers[v.entry.ID]; p != nil {
		p.vote = v
	}
	if v.join != nil {
		v.join.votes++
	}
	c.events = append(c.events, Event{Kind: EventAliveAsked, Vote: v.token, Token: v.join.tokenOrNone(), Member: v.entry})
}

// AnswerAlive answers an EventAliveAsked; an error keeps the node out.
func (c *Core) AnswerAlive(now time.Time, t VoteToken, veto error) {
	if e := c.votes.rolls[t]; e != nil {
		c.answerNode(now, e, veto)
		return
	}
	v := c.votes.byToken[t]
	if v == nil {
		return
	}
	delete(c.votes.byToken, t)
	delete(c.votes.byName, v.entry.Name)
	p := c.peers[v.entry.ID]
	if p != nil {
		p.vote, p.vetoed = nil, veto != nil && !c.isLive(p.id)
	}
	if veto != nil {
		c.stats.Vetoed++
		c.warn(now, "alive", "%q at %s is kept out: %q", v.entry.Name, v.entry.Addr, veto.Error())
	} else {
		c.admit(now, v)
	}
	if v.newer != nil {
		v.newer.start = v.start
		c.askAlive(v.newer)
	} else if v.start && p != nil {
		c.handleStart(now, p)
	}
	if p != nil {
		c.mergeWaiting(now, p)
	}
	if j := v.join; j != nil {
		j.votes--
		c.noteVerdicts(now, j)
		c.joinCalm(now, j)
	} else if p != nil && !p.linked && veto == nil && p.set.Current(now) != nil { // it may be joining, and wait for tables that agree
		c.sendRoot(now, p)
	}
}

// noteVerdicts goes on with the comparison of a Join after the last verdict: the root that the peer told came
// before it. The comparison has ended if the verdicts have made the tables equal, and else is begun again.
func (c *Core) noteVerdicts(now time.Time, j *join) {
	p := j.peer
	if j.votes > 0 || j.late || p == nil || !p.sync.Active() || p.sync.Waiting() {
		return
	}
	if p.sync.LastRoot() == c.members.Root() {
		p.sync.End()
		c.joinSynced(now, p)
		return
	}
	c.compareAgain(now, p)
}

// isLive reports whether a node is a live member: what is new of one may be refused, but it stays.
func (c *Core) isLive(id wire.NodeID) bool {
	m := c.members.Get(id)
	return m != nil && m.Live()
}

// admit takes in an entry that was decided upon.
func (c *Core) admit(now time.Time, v *vote) {
	row := members.Entry{Member: v.entry}
	var e wire.Member
	row.Fill(&e)
	m := c.members.Get(e.ID)
	if m != nil && !m.SupersededBy(&e) {
		c.stats.MembersStale++
		return
	}
	c.applyAlive(now, &e, c.peers[v.from], v.how)
}
