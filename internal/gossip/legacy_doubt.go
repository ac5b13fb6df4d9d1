package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A node that hears a gwyh 0.1 member no longer asks the other Go nodes before it calls the member dead
// (docs/PROTOCOL.md L12): the question is a suspect entry, the answer an alive entry with a higher incarnation. So a
// node that lost nothing but its own session accuses nobody.
const (
	legacyAskAfter = 13 * time.Second       // of silence: others have two seconds to vouch before the member counts as lost
	legacyAskPause = time.Second            // between two questions about one member that are asked, answered or passed on
	legacyAskBurst = 64                     // questions about all of them in a row,
	legacyAskEvery = 30 * time.Millisecond  // and one more after each of these
	legacyVouchMax = 200 * time.Millisecond // a node waits up to this long before it vouches: another one may do so first
	legacyVouchFor = 2 * time.Second        // a box that opens so soon after the question still answers it
)

// legacyQuestion is a question of others about a gwyh 0.1 peer.
type legacyQuestion struct {
	incarnation uint64 // that is doubted; a higher one answers
	until       time.Time
}

// askOthers asks all Go nodes whether they hear a gwyh 0.1 member, of which an incarnation is doubted.
func (c *Core) askOthers(now time.Time, m *members.Entry, incarnation uint64) {
	if c.mayAsk(now, m) {
		c.passQuestion(now, m, incarnation, c.cfg.ID, nil)
	}
}

// mayAsk bounds the questions, for each is passed on by every Go node.
func (c *Core) mayAsk(now time.Time, m *members.Entry) bool {
	o := &c.old
	if last, ok := o.asked.Get(m.ID); ok && now.Sub(last) < legacyAskPause {
		return false
	}
	if !o.questions.Take(now, quota.Rate{Burst: legacyAskBurst, Every: legacyAskEvery}) {
		c.drop(DropOversize)
		return false
	}
	o.asked.Set(m.ID, now)
	return true
}

// passQuestion sends a question to all linked Go nodes but the one that it came from.
func (c *Core) passQuestion(now time.Time, m *members.Entry, incarnation uint64, by wire.NodeID, from *peer) {
	for _, p := range c.links {
		if p == from || p.legacy {
			continue
		}
		e := &c.entry
		e.State, e.ID, e.Incarnation, e.From = wire.StateSuspect, m.ID, incarnation, by
		w := c.entries(p)
		w.append(now, e)
		w.flush(now)
	}
}

// handleQuestion takes the question of a Go node whether a gwyh 0.1 member is heard. A node that has heard more of it
// than the asker tells that; one that has a session with it asks it for a sign of life; all pass the question on.
func (c *Core) handleQuestion(now time.Time, m *members.Entry, e *wire.Member, from *peer) {
	switch {
	case m == nil || !m.Live():
		c.stats.MembersStale++
		return
	case m.Incarnation > e.Incarnation:
		c.stats.MembersStale++
		c.answerQuestion(now, m, from)
		return
	case !c.mayAsk(now, m):
		return
	}
	c.passQuestion(now, m, e.Incarnation, e.From, from)
	p := c.peers[m.ID]
	if p == nil || p.set.Current(now) == nil {
		return
	}
	p.old.question = legacyQuestion{incarnation: e.Incarnation, until: now.Add(legacyVouchFor)}
	if millis(p.set.LastOpened()) > e.Incarnation && now.Sub(p.swim.Heard) < p.swim.Check() {
		c.vouchSoon(now, p)
		return
	}
	c.ping(now, p)
}

// answerQuestion tells the asker what is known of a member that it is behind on.
func (c *Core) answerQuestion(now time.Time, m *members.Entry, from *peer) {
	if from == nil {
		return
	}
	w := c.entries(from)
	w.add(now, m)
	w.flush(now)
}

// vouchSoon answers a question about a peer that was heard, unless another node has answered it by then.
func (c *Core) vouchSoon(now time.Time, p *peer) {
	of := p.old.question.incarnation
	p.old.question = legacyQuestion{}
	c.legacyLater(now, c.between(0, legacyVouchMax), func(now time.Time) {
		if m := c.members.Get(p.id); m != nil && m.Live() && m.Incarnation <= of {
			c.vouch(now, m, of)
		}
	})
}

// watchLegacy asks the other Go nodes, once in each silence, about a peer of which nothing came for long.
func (c *Core) watchLegacy(now time.Time, p *peer) {
	m := c.members.Get(p.id)
	if m == nil || !m.Live() || p.old.doubted.After(p.swim.Heard) || now.Sub(p.swim.Heard) < legacyAskAfter {
		return
	}
	p.old.doubted, p.old.doubt = now, m.Incarnation
	c.askOthers(now, m, m.Incarnation)
}

// vouchedFor reports whether others have vouched for a peer since this node began to doubt that it lives.
func (p *peer) vouchedFor(m *members.Entry) bool {
	return p.old.doubted.After(p.swim.Heard) && m.Incarnation > p.old.doubt
}
