package gossip

import (
	"cmp"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/exchange"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// pullInterval is the default time between push/pulls with a random member.
const pullInterval = 30 * time.Second

func newExchanges(c *Core) exchanges {
	cfg := &c.cfg
	x := pushpull.New(pushpull.Config{Versions: cfg.Versions, MessageMax: MessageMax, State: cfg.State, AskMerge: cfg.AskMerge, AskAlive: cfg.AskAlive,
		AskSelection: cfg.AskSelection, Judges: cfg.AskAlive || cfg.Allow != nil || cfg.MetaMax != metaUsual, Interval: cmp.Or(cfg.PushPullInterval, pullInterval), Nodes: cfg.PushPullNodes}, c.rng)
	return exchanges{core: c, Exchanger: x, timer: timer.Timer{Fire: c.push.tick},
		messages: exchange.New(exchange.Config{Exchanger: x, Delivery: c.delivery, IDs: &c.ids, Events: &c.events, Report: c.report})}
}

// conclude acts on the outcomes that one input to the Exchanger has appended to x.outcomes.
func (x *exchanges) conclude(now time.Time, out []pushpull.Outcome) {
	x.core.timers.Plan(&x.timer, x.NextTimeout())
	x.outcomes.Work(out, func(o *pushpull.Outcome) {
		if !x.messages.Perform(now, o) {
			x.act(now, o)
		}
	})
}

// tick handles the timeouts of exchanges that are due.
func (x *exchanges) tick(now time.Time) {
	c := x.core
	for timer.Due(x.NextTimeout(), now) {
		x.conclude(now, x.HandleTimeout(x.outcomes, now, &c.members))
	}
	x.conclude(now, x.outcomes)
}

func (x *exchanges) act(now time.Time, o *pushpull.Outcome) {
	c := x.core
	switch o.Kind {
	case pushpull.Send:
		x.send(now, o)
	case pushpull.StopSending:
		c.direct.conclude(now, c.direct.Sender.Stop(c.direct.outcomes, c.direct.Sender.Awaited(o.ID)))
	case pushpull.ListArrived:
		x.conclude(now, x.JudgeList(x.outcomes, now, &c.members, o.Exchange, o.Members, c.entries.Veto(o.Member)))
	case pushpull.Agreed, pushpull.JoinFailed, pushpull.JoinAdvanced:
		x.actOnJoin(now, o)
	case pushpull.RoomMade:
		c.joins.conclude(now, c.joins.Advance(c.joins.outcomes))
	case pushpull.Pull:
		x.pullFrom(now, o.Entry)
	case pushpull.SelectionWanted:
		c.overlay.conclude(now, c.overlay.AskSelection(c.overlay.acts, now))
	case pushpull.Subscribes:
		c.overlay.handleStart(now, c.peers[o.Peer.ID])
	}
}

func (x *exchanges) actOnJoin(now time.Time, o *pushpull.Outcome) {
	c := x.core
	j := c.joins.With(o.Join)
	switch {
	case j == nil:
	case o.Kind == pushpull.Agreed:
		c.entries.Greet(now, &c.peers[j.Peer()].Peer)
	case o.Kind == pushpull.JoinFailed:
		c.joins.conclude(now, c.joins.End(c.joins.outcomes, j, o.Err))
	default:
		c.joins.conclude(now, c.joins.Settle(c.joins.outcomes, now, j))
	}
}

// send sends a push or an answer, and reports the result to the Exchanger.
func (x *exchanges) send(now time.Time, o *pushpull.Outcome) {
	c := x.core
	out, id, ok := x.messages.Send(c.direct.outcomes, now, o)
	if !ok {
		x.conclude(now, x.NotSent(x.outcomes, now, o.Exchange))
		return
	}
	c.direct.conclude(now, out)
	x.conclude(now, x.Sent(x.outcomes, now, &c.members, o.Exchange, id, len(o.Data)))
}

// expects reports whether to accept a piece of a push or an answer, before any of it is stored.
func (x *exchanges) expects(now time.Time, p *peer, id wire.MessageID, d wire.Direct) bool {
	c := x.core
	out, ok := x.Expect(x.outcomes, now, &c.members, &p.push, id, d)
	x.conclude(now, out)
	return ok
}

// AnswerState answers an event.StateWanted. It does not retain data.
func (c *Core) AnswerState(now time.Time, t event.StateToken, data []byte) {
	c.push.conclude(now, c.push.AnswerState(c.push.outcomes, now, &c.members, t, data))
}

// StateMerged reports that the application has merged the state of an event.State.
func (c *Core) StateMerged(now time.Time, t event.StateToken) {
	c.push.conclude(now, c.push.StateMerged(c.push.outcomes, t))
}

// AnswerMerge answers an event.MergeAsked. A non-nil error keeps the clusters apart.
func (c *Core) AnswerMerge(now time.Time, t event.StateToken, veto error) {
	c.push.conclude(now, c.push.AnswerMerge(c.push.outcomes, now, &c.members, t, veto))
}

// begin compares tables with p and exchanges application state. join tells the applications whether one of the two
// nodes is joining the other.
func (x *exchanges) begin(now time.Time, p *peer, join bool) {
	c := x.core
	c.entries.Compare(now, &p.Peer)
	x.conclude(now, x.PushPull(x.outcomes, now, &p.push, join))
}

// pullFrom does a push/pull with m, after a handshake if there is no session. m may be nil.
func (x *exchanges) pullFrom(now time.Time, m *members.Entry) {
	c := x.core
	if m == nil || !c.members.Self().Live() {
		return
	}
	x.PullFrom(m.ID)
	switch p := c.peers[m.ID]; {
	case p != nil && p.Sessions.Current(now) != nil:
		x.pullReady(now, p)
	case !c.hs.dials.Dialing(m.ID):
		c.hs.dialMember(now, wire.Path{Remote: m.Addr}, m.ID, dialFor)
	}
}

// pullReady does the push/pull that waited for a session with p.
func (x *exchanges) pullReady(now time.Time, p *peer) {
	if !p.Legacy && x.TakePull(p.ID) {
		x.begin(now, p, false)
	}
}

// hold keeps an alive entry until the application has decided about it. It returns false if no decision is needed.
func (x *exchanges) hold(now time.Time, m *members.Entry, e *wire.Member, from *peer, how route) bool {
	c := x.core
	if !x.NeedsVerdict(m, e) {
		return false
	}
	if !c.membership.admissible(now, e, from) {
		return true
	}
	entry := pushpull.Entry{Member: c.members.MemberOf(e), From: idOf(from), Synced: how == byComparison}
	if j := c.joins.Taking(entry.From); j != nil {
		entry.Join = j.Exchange
	}
	x.conclude(now, x.AskAlive(x.outcomes, entry))
	return true
}

// AnswerAlive answers an event.AliveAsked. A non-nil error refuses the node.
func (c *Core) AnswerAlive(now time.Time, t event.VoteToken, veto error) {
	x := &c.push
	out, ok := x.AnswerNode(x.outcomes, now, &c.members, t, veto)
	if x.conclude(now, out); ok {
		return
	}
	v := x.AnswerAlive(&c.members, t, veto)
	switch {
	case v == nil:
		return
	case veto != nil:
		c.report.KeptOut(now, &v.Member, veto)
	default:
		x.admit(now, v)
	}
	x.conclude(now, x.Continue(x.outcomes, now, &c.members, v))
	x.verdictGiven(now, v, veto)
}

// verdictGiven continues the Join in which an entry was learned. If there is none, the node may be joining this one and
// may be waiting for equal tables.
func (x *exchanges) verdictGiven(now time.Time, v *pushpull.Vote, veto error) {
	c := x.core
	if j := c.joins.With(v.Join); j != nil {
		waits := !j.Exchange.Deciding() && !j.Compared()
		if p := c.peers[j.Peer()]; waits && p != nil && c.entries.Decided(now, &p.Peer) {
			c.joins.conclude(now, c.joins.Compared(c.joins.outcomes, now, p.ID))
		}
		c.joins.conclude(now, c.joins.Settle(c.joins.outcomes, now, j))
	}
	p := c.peers[v.ID]
	if p == nil || v.Join != nil || veto != nil {
		return
	}
	if !p.Linked && p.Sessions.Current(now) != nil {
		c.entries.SendRoot(now, &p.Peer)
	}
}

// admit handles an entry that the application has approved.
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

// fits reports whether an alive entry describes a node whose versions are compatible with those of all members.
func (x *exchanges) fits(now time.Time, e *wire.Member, from *peer) bool {
	c := x.core
	fit := x.Fits(now, &c.members, e, idOf(from))
	if s := fit.Stranger; s != nil {
		c.report.Misfit(now, e, s)
	}
	return fit.OK
}
