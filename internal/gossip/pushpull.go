package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// metaUsual is the default limit of the metadata size, in bytes.
const metaUsual = 512

func pushPullConfig(cfg *Config) pushpull.Config {
	return pushpull.Config{Versions: cfg.Versions, MessageMax: MessageMax,
		State: cfg.State, AskMerge: cfg.AskMerge, AskAlive: cfg.AskAlive, Judges: cfg.Allow != nil || cfg.MetaMax != metaUsual,
		Interval: cfg.PushPullInterval, Nodes: cfg.PushPullNodes}
}

func newExchanges(c *Core) exchanges {
	return exchanges{core: c, Exchanger: pushpull.New(pushPullConfig(&c.cfg), c.rng), timer: timer.Timer{Fire: c.push.tick}}
}

// conclude acts on the outcomes that one input to the Exchanger has appended to x.outcomes.
func (x *exchanges) conclude(now time.Time, out []pushpull.Outcome) {
	x.core.timers.Plan(&x.timer, x.NextTimeout())
	x.outcomes.Work(out, func(o *pushpull.Outcome) { x.act(now, o) })
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
	case pushpull.StateWanted:
		c.events.Add(event.Event{Kind: event.StateWanted, State: o.Token, Token: tokenOf(o.Join), Joining: o.Joining})
	case pushpull.StateArrived:
		c.events.Add(event.Event{Kind: event.State, State: o.Token, Token: tokenOf(o.Join), Joining: o.Joining, Data: o.Data})
	case pushpull.MergeAsked:
		c.events.Add(event.Event{Kind: event.MergeAsked, State: o.Token, Token: tokenOf(o.Join), Peers: o.Members})
	case pushpull.AliveAsked:
		c.events.Add(event.Event{Kind: event.AliveAsked, Vote: o.Vote, Token: tokenOf(o.Join), Member: *o.Member})
	case pushpull.ListArrived:
		x.conclude(now, x.JudgeList(x.outcomes, now, &c.members, o.Exchange, o.Members, x.vetoOf(o.Member)))
	case pushpull.Agreed, pushpull.JoinFailed, pushpull.JoinAdvanced:
		x.actOnJoin(now, o)
	case pushpull.RoomMade:
		c.joins.conclude(now, c.joins.Advance(c.joins.outcomes))
	case pushpull.PullDue:
		x.pullRandom(now)
	case pushpull.VetoedHere, pushpull.VetoedThere, pushpull.StateTooLarge, pushpull.OwnStateTooLarge:
		x.log(now, o)
	default:
		x.send(now, o)
	}
}

// tokenOf returns the token of the Join that a query belongs to, or 0 if j is nil.
func tokenOf(j *pushpull.Join) event.JoinToken {
	if j == nil {
		return 0
	}
	return event.JoinToken(j.Token)
}

// vetoOf returns why this node refuses the other end of a Join, or nil. node is nil if the other end is a member.
func (x *exchanges) vetoOf(node *Member) error {
	c := x.core
	if node == nil {
		return nil
	}
	var e wire.Member
	d, err := c.membership.refusal((&members.Entry{Member: *node}).Fill(&e))
	if err != nil {
		c.drop(d)
	}
	return err
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

func (x *exchanges) log(now time.Time, o *pushpull.Outcome) {
	c := x.core
	if o.Kind == pushpull.OwnStateTooLarge {
		c.report.OwnStateTooLarge(now, o.Size, MessageMax)
		return
	}
	p := c.peers[o.Peer.ID]
	if p == nil {
		return
	}
	switch at := p.Sessions.Path().Remote; o.Kind {
	case pushpull.VetoedHere:
		c.report.Vetoed(now, p.ID, at, o.Err)
	case pushpull.VetoedThere:
		c.report.VetoedThere(now, p.ID, at, o.Err.(*VetoError).Reason)
	case pushpull.StateTooLarge:
		c.report.StateTooLarge(now, p.ID, at, o.Size, MessageMax)
	}
}

// send sends what the Exchanger wants to send.
func (x *exchanges) send(now time.Time, o *pushpull.Outcome) {
	c := x.core
	if o.Kind == pushpull.StopSending {
		c.direct.conclude(now, c.direct.Stop(c.direct.outcomes, c.direct.Awaited(o.ID)))
		return
	}
	p := c.peers[o.Peer.ID]
	if p == nil {
		return
	}
	switch o.Kind {
	case pushpull.SendNothing:
		c.sender.Send(now, &p.Peer, wire.AppendDirect(c.sender.Begin(), o.ID, wire.Direct{Use: o.Use}))
	case pushpull.SendRefusal:
		c.sender.Send(now, &p.Peer, wire.AppendStateRefused(c.sender.Begin(), c.newID(), o.ID))
	case pushpull.Send:
		x.sendExchange(now, p, o)
	}
}

// sendExchange sends a push or an answer, and reports the result to the Exchanger.
func (x *exchanges) sendExchange(now time.Time, p *peer, o *pushpull.Outcome) {
	c := x.core
	e, id := o.Exchange, o.ID
	if !x.InProgress(e) {
		return
	}
	if id == (wire.MessageID{}) {
		id = c.direct.NewID()
	}
	m := &direct.Message{ID: id, To: p.Sessions.Path().Remote, Use: o.Use, Until: o.Until, For: e}
	out, err := c.direct.Start(c.direct.outcomes, now, m, &p.Peer, o.Data)
	if err != nil {
		x.conclude(now, x.NotSent(x.outcomes, now, e))
		return
	}
	c.direct.conclude(now, out)
	x.conclude(now, x.Sent(x.outcomes, now, &c.members, e, id, len(o.Data)))
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

// release delivers the state of a node that waited for the node's entry.
func (x *exchanges) release(now time.Time, p *peer) {
	c := x.core
	x.conclude(now, x.Release(x.outcomes, now, &c.members, &p.push))
}

// pullRandom does a push/pull with a random member, or with one that the application selects.
func (x *exchanges) pullRandom(now time.Time) {
	c := x.core
	if !c.members.Self().Live() || c.members.CountGo() < 2 {
		return
	}
	if c.cfg.AskSelection {
		x.AwaitSelection()
		c.overlay.conclude(now, c.overlay.AskSelection(c.overlay.acts, now))
		return
	}
	m := c.members.Draw(c.rng)
	for m.ID == c.cfg.ID || m.Legacy() {
		m = c.members.Draw(c.rng)
	}
	x.pullFrom(now, m)
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

// hold keeps an alive entry until the application has decided about it. It returns false if no decision is needed. An
// entry that only reports a known member as alive needs none, because a refutation must not wait.
func (x *exchanges) hold(now time.Time, m *members.Entry, e *wire.Member, from *peer, how route) bool {
	c := x.core
	known := m != nil && m.Live() && pushpull.SameNode(&m.Member, e)
	if known || !c.cfg.AskAlive {
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
		entry.From = from.ID
		if j := c.joins.Taking(from.ID); j != nil {
			entry.Join = j.Exchange
		}
	}
	x.conclude(now, x.AskAlive(x.outcomes, entry, about.pushPeer(), from.pushPeer()))
	return true
}

// AnswerAlive answers an event.AliveAsked. A non-nil error refuses the node.
func (c *Core) AnswerAlive(now time.Time, t event.VoteToken, veto error) {
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
		c.report.KeptOut(now, &v.Member, veto)
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

// verdictGiven continues the Join in which an entry was learned. If there is none, the node may be joining this one and
// may be waiting for equal tables.
func (x *exchanges) verdictGiven(now time.Time, v *pushpull.Vote, p *peer, veto error) {
	c := x.core
	if v.Join != nil {
		v.Join.Votes--
		if j := c.joins.With(v.Join); j != nil {
			x.noteVerdicts(now, j)
			c.joins.conclude(now, c.joins.Settle(c.joins.outcomes, now, j))
		}
		return
	}
	if p == nil || veto != nil {
		return
	}
	if !p.Linked && p.Sessions.Current(now) != nil {
		c.entries.SendRoot(now, &p.Peer)
	}
}

// noteVerdicts continues the comparison of a Join after the last verdict, because the peer's root arrived before it. If
// the verdicts have made the tables equal, the comparison has ended. Otherwise it starts again.
func (x *exchanges) noteVerdicts(now time.Time, j *join) {
	c := x.core
	p := c.peers[j.Peer()]
	if p == nil || j.Exchange.Deciding() || j.Compared() {
		return
	}
	if !p.Sync.Active() || p.Sync.Waiting() {
		return
	}
	if root, salt := p.Sync.LastRoot(); root == c.members.Root(salt) {
		p.Sync.End()
		c.joins.conclude(now, c.joins.Compared(c.joins.outcomes, now, p.ID))
		return
	}
	c.entries.CompareAgain(now, &p.Peer)
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
	fit := x.Fits(now, &c.members, e, from.pushPeer())
	if s := fit.Stranger; s != nil {
		c.report.Misfit(now, e, s)
	}
	return fit.OK
}
