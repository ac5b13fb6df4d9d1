package gossip

import (
	"bytes"
	"math/bits"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// pushPullNodes is how many nodes there may be until push/pulls become rarer.
const pushPullNodes = 32

// pulling is the push/pull with a random member.
type pulling struct {
	timer timer.Timer
	next  wire.NodeID // whom a session is waited for with; zero for nobody
	waits bool        // for the application's selection
	turn  int         // counts those with selected members
}

// pushPull compares tables with p and exchanges the states of the applications. join tells the
// applications that one of the two is joining the other.
func (c *Core) pushPull(now time.Time, p *peer, join bool) {
	c.compare(now, p)
	use := wire.UsePush
	if join {
		use = wire.UseJoinPush
	}
	c.exchangeStates(now, p, use, nil, now.Add(exchangeFor))
}

// exchangeStates begins an exchange of states by asking our application for its own. It reports whether
// it could.
func (c *Core) exchangeStates(now time.Time, p *peer, use wire.Use, j *join, until time.Time) bool {
	if !c.cfg.State {
		return false
	}
	e := c.begin(now, p, use, j, until)
	if e == nil {
		return false
	}
	if j != nil {
		j.exchange = e
	}
	c.askState(e)
	return true
}

func (c *Core) askState(e *exchange) {
	c.events = append(c.events, Event{Kind: EventStateWanted, State: e.token, Token: e.join.tokenOrNone(), Joining: e.use.Joins()})
}

// AnswerState answers an EventStateWanted. data is not kept.
func (c *Core) AnswerState(now time.Time, t StateToken, data []byte) {
	e := c.exchanges.byID[t]
	if e == nil || e.phase != asked || e.rolls() {
		return
	}
	if len(data) > MessageMax {
		c.answerLargeState(now, e, len(data))
		return
	}
	if e.ours {
		e.own = bytes.Clone(data)
		c.push(now, e)
		return
	}
	c.answerPush(now, e, e.use.Answer(), data)
}

// answerPush answers a push and goes on with what it brought. A push that is refused brings nothing: it comes again.
func (c *Core) answerPush(now time.Time, e *exchange, use wire.Use, data []byte) {
	if !c.answer(now, e, use, data) {
		c.endExchange(now, e, nil)
		return
	}
	e.phase, e.until = merging, now.Add(memberWait)
	c.merge(now, e)
}

// memberWait is how long the state of a node waits for the node's entry, which may have been lost and comes again
// with the next rounds of its comparison, and for the application's verdict on it.
const memberWait = 5 * time.Second

// merge hands the application what the peer sent, after the application has heard of the peer: in a Join of ours
// the members have been taken in before, and the push of another node waits for that node's entry.
func (c *Core) merge(now time.Time, e *exchange) {
	switch {
	case len(e.got) == 0:
		c.endExchange(now, e, nil)
	case e.join != nil && !e.join.synced:
	case !e.ours && now.Before(e.until) && c.awaited(e.peer):
		c.timers.Set(&e.timer, e.until)
	default:
		c.events = append(c.events, Event{Kind: EventState, State: e.token, Token: e.join.tokenOrNone(), Joining: e.use.Joins(), Data: e.got})
		e.got = nil
		c.timers.Stop(&e.timer)
	}
}

// awaited reports whether the entry of a node that is no member is on its way, or is being decided about.
func (c *Core) awaited(p *peer) bool {
	return !c.isLive(p.id) && (!p.introduced || p.vote != nil)
}

// mergeWaiting hands over the state of a node that has waited for its entry.
func (c *Core) mergeWaiting(now time.Time, p *peer) {
	if e := p.theirs; e != nil && e.phase == merging && e.got != nil {
		c.merge(now, e)
	}
}

// StateMerged tells that the application is done with an EventState.
func (c *Core) StateMerged(now time.Time, t StateToken) {
	if e := c.exchanges.byID[t]; e != nil && e.phase == merging {
		c.endExchange(now, e, nil)
	}
}

// pullSoon sets the time of the first push/pull, anywhere in the interval, so that nodes that started
// together do not do it together.
func (c *Core) pullSoon(now time.Time) {
	c.pull.timer.Fire = c.pullRandom
	if i := c.pullInterval(); i > 0 {
		c.timers.Set(&c.pull.timer, now.Add(1+time.Duration(c.rng.Int64N(int64(i)))))
	}
}

// pullInterval is the time between push/pulls of this node: in a larger cluster longer, one more
// interval for each time that it doubles.
func (c *Core) pullInterval() time.Duration {
	return c.cfg.PushPullInterval / time.Duration(max(c.cfg.PushPullNodes, 1)) * time.Duration(1+bits.Len(uint(max(c.members.Count()-1, 0)/pushPullNodes)))
}

// pullRandom does a push/pull with a member drawn at random, or with one that the application selects.
func (c *Core) pullRandom(now time.Time) {
	i := c.pullInterval()
	c.timers.Set(&c.pull.timer, now.Add(i-i/8+time.Duration(c.rng.Int64N(int64(i/4)))))
	if !c.self.Live() || c.members.Count()-c.members.CountLegacy() < 2 {
		return
	}
	if c.cfg.AskSelection {
		c.pull.waits = true
		c.overlaid(now, c.overlay.AskSelection(c.overlay.acts, now))
		return
	}
	m := c.members.Draw(c.rng)
	for m.ID == c.cfg.ID || m.Legacy() {
		m = c.members.Draw(c.rng)
	}
	c.pullFrom(now, m)
}

// pullFrom does a push/pull with m, if any, after a handshake where there is no session.
func (c *Core) pullFrom(now time.Time, m *members.Entry) {
	if m == nil || !c.self.Live() {
		return
	}
	c.pull.next = m.ID
	switch p := c.peers[m.ID]; {
	case p != nil && p.set.Current(now) != nil:
		c.pullReady(now, p)
	case !c.dialing(m.ID):
		c.dial(now, wire.Path{Remote: m.Addr}, dial{member: m.ID}, now.Add(dialFor))
	}
}

// pullReady does the push/pull that waited for a session with p.
func (c *Core) pullReady(now time.Time, p *peer) {
	if c.pull.next == p.id && !p.legacy {
		c.pull.next = wire.NodeID{}
		c.pushPull(now, p, false)
	}
}
