package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// What questions to the application are named by, and why Joins fail because of the applications.
type (
	StateToken         = pushpull.Token
	VoteToken          = pushpull.VoteToken
	VetoError          = pushpull.VetoError
	VersionError       = pushpull.VersionError
	StateTooLargeError = pushpull.StateTooLargeError
)

// Errors of exchanges.
var (
	ErrStateTimeout = pushpull.ErrTimeout
	ErrPeerGone     = pushpull.ErrPeerGone
)

// exchanges are the exchanges of a core with others, and what the core does about their outcomes.
type exchanges struct {
	*pushpull.Exchanger
	outcomes outcome.Buffer[pushpull.Outcome]
	timer    timer.Timer
}

// metaUsual is the bound of metadata that nodes have if nothing else is configured, in bytes.
const metaUsual = 512

func pushPullConfig(cfg *Config) pushpull.Config {
	return pushpull.Config{Versions: cfg.Versions, MessageMax: MessageMax,
		State: cfg.State, AskMerge: cfg.AskMerge, AskAlive: cfg.AskAlive, Judges: cfg.Allow != nil || cfg.MetaMax != metaUsual,
		Interval: cfg.PushPullInterval, Nodes: cfg.PushPullNodes}
}

// concludePush acts on the outcomes that one input to the Exchanger has appended to c.push.outcomes.
func (c *Core) concludePush(now time.Time, out []pushpull.Outcome) {
	x := &c.push
	switch at := x.NextTimeout(); {
	case at.IsZero():
		c.timers.Stop(&x.timer)
	case !x.timer.Pending() || !x.timer.At().Equal(at):
		c.timers.Set(&x.timer, at)
	}
	x.outcomes.Work(out, func(o *pushpull.Outcome) { c.actOnPush(now, o) })
}

// tickPush does what is due of exchanges.
func (c *Core) tickPush(now time.Time) {
	for at := c.push.NextTimeout(); !at.IsZero() && !at.After(now); at = c.push.NextTimeout() {
		c.concludePush(now, c.push.HandleTimeout(c.push.outcomes, now, &c.members, c.progressOf))
	}
	c.concludePush(now, c.push.outcomes)
}

func (c *Core) actOnPush(now time.Time, o *pushpull.Outcome) {
	switch o.Kind {
	case pushpull.StateWanted:
		c.events = append(c.events, Event{Kind: EventStateWanted, State: o.Token, Token: tokenOf(o.Join), Joining: o.Joining})
	case pushpull.StateArrived:
		c.events = append(c.events, Event{Kind: EventState, State: o.Token, Token: tokenOf(o.Join), Joining: o.Joining, Data: o.Data})
	case pushpull.MergeAsked:
		c.events = append(c.events, Event{Kind: EventMergeAsked, State: o.Token, Token: tokenOf(o.Join), Peers: o.Members})
	case pushpull.AliveAsked:
		c.events = append(c.events, Event{Kind: EventAliveAsked, Vote: o.Vote, Token: tokenOf(o.Join), Member: *o.Member})
	case pushpull.ListArrived:
		c.concludePush(now, c.push.JudgeList(c.push.outcomes, now, &c.members, o.Exchange, o.Members, c.vetoOf(o.Member)))
	case pushpull.Agreed, pushpull.JoinFailed, pushpull.JoinAdvanced:
		c.actOnJoin(now, o)
	case pushpull.RoomMade:
		c.joins.advance(now)
	case pushpull.PullDue:
		c.pullRandom(now)
	case pushpull.VetoedHere, pushpull.VetoedThere, pushpull.StateTooLarge, pushpull.OwnStateTooLarge:
		c.logPush(now, o)
	default:
		c.sendPush(now, o)
	}
}

// tokenOf is the token of the Join that a question belongs to; 0 for none.
func tokenOf(j *pushpull.Join) JoinToken {
	if j == nil {
		return 0
	}
	return JoinToken(j.Token)
}

// vetoOf is why this node does not take in the other end of a Join; nil if it may. node is nil if it is a member.
func (c *Core) vetoOf(node *Member) error {
	if node == nil {
		return nil
	}
	var e wire.Member
	d, err := c.refusal((&members.Entry{Member: *node}).Fill(&e))
	if err != nil {
		c.drop(d)
	}
	return err
}

func (c *Core) actOnJoin(now time.Time, o *pushpull.Outcome) {
	j := c.joins.ofPart(o.Join)
	switch {
	case j == nil:
	case o.Kind == pushpull.Agreed:
		c.greet(now, c.peers[j.Peer()])
	case o.Kind == pushpull.JoinFailed:
		c.joins.end(now, j, o.Err)
	default:
		c.joins.settle(now, j)
	}
}

func (c *Core) logPush(now time.Time, o *pushpull.Outcome) {
	if o.Kind == pushpull.OwnStateTooLarge {
		c.warn(now, "own state", "LocalState returned %d bytes, of which at most %d can be sent: no other node gets it", o.Size, MessageMax)
		return
	}
	p := c.peers[o.Peer.ID]
	if p == nil {
		return
	}
	name, at := c.nameOf(p), p.set.Path().Remote
	switch o.Kind {
	case pushpull.VetoedHere:
		c.warn(now, "merge", "not becoming one cluster with %q at %s: %q", name, at, o.Err.Error())
	case pushpull.VetoedThere:
		c.warn(now, "refused", "%q at %s refuses this node: %q", name, at, o.Err.(*VetoError).Reason)
	case pushpull.StateTooLarge:
		c.warn(now, "state", "the state of %q at %s has %d bytes, of which at most %d can be sent: it is not merged", name, at, o.Size, MessageMax)
	}
}

// sendPush sends what the Exchanger wants sent.
func (c *Core) sendPush(now time.Time, o *pushpull.Outcome) {
	if o.Kind == pushpull.StopSending {
		if s := c.sends[o.ID]; s != nil {
			c.endSend(now, s, nil)
		}
		return
	}
	p := c.peers[o.Peer.ID]
	if p == nil {
		return
	}
	switch o.Kind {
	case pushpull.SendNothing:
		c.plain = wire.AppendDirect(c.plain[:0], o.ID, wire.Direct{Use: o.Use})
		c.sendPlain(now, p, c.plain)
	case pushpull.SendRefusal:
		c.plain = wire.AppendStateRefused(c.plain[:0], c.newID(), o.ID)
		c.sendPlain(now, p, c.plain)
	case pushpull.Send:
		c.sendExchange(now, p, o)
	}
}

// sendExchange sends a push or an answer, and says how that went.
func (c *Core) sendExchange(now time.Time, p *peer, o *pushpull.Outcome) {
	e, id, x := o.Exchange, o.ID, &c.push
	if !x.InProgress(e) {
		return
	}
	if id == (wire.MessageID{}) {
		id = c.newDirectID()
	}
	s := &outgoing{id: id, to: p.set.Path().Remote, use: o.Use, until: o.Until}
	s.done = func(now time.Time, err error) { c.concludePush(now, x.SendEnded(x.outcomes, e, id, err)) }
	if err := c.submit(now, s, p, o.Data); err != nil {
		c.concludePush(now, x.NotSent(x.outcomes, now, e))
		return
	}
	c.concludePush(now, x.Sent(x.outcomes, now, &c.members, e, id, len(o.Data)))
}

// progressOf says when bytes of a large message last came from a peer, if a part of it is here.
func (c *Core) progressOf(of *pushpull.Peer, id wire.MessageID) (time.Time, bool) {
	if p := c.peers[of.ID]; p != nil {
		for _, a := range p.receiving {
			if a.Direct && a.ID == id && !a.Forgotten() {
				return a.Progress, true
			}
		}
	}
	return time.Time{}, false
}

// expected decides about a piece of a push or an answer before anything of it is kept.
func (c *Core) expected(now time.Time, p *peer, id wire.MessageID, d wire.Direct) bool {
	out, ok := c.push.Expect(c.push.outcomes, now, &c.members, &p.push, id, d, c.progressOf)
	c.concludePush(now, out)
	return ok
}

// AnswerState answers an EventStateWanted. data is not kept.
func (c *Core) AnswerState(now time.Time, t StateToken, data []byte) {
	c.concludePush(now, c.push.AnswerState(c.push.outcomes, now, &c.members, t, data))
}

// StateMerged tells that the application is done with an EventState.
func (c *Core) StateMerged(now time.Time, t StateToken) {
	c.concludePush(now, c.push.StateMerged(c.push.outcomes, t))
}

// AnswerMerge answers an EventMergeAsked; an error keeps the clusters apart.
func (c *Core) AnswerMerge(now time.Time, t StateToken, veto error) {
	c.concludePush(now, c.push.AnswerMerge(c.push.outcomes, now, &c.members, t, veto))
}

// pushPull compares tables with p and exchanges the states of the applications. join tells the
// applications that one of the two is joining the other.
func (c *Core) pushPull(now time.Time, p *peer, join bool) {
	c.compare(now, p)
	c.concludePush(now, c.push.PushPull(c.push.outcomes, now, &p.push, join))
}

// releaseState hands over the state of a node that has waited for the node's entry.
func (c *Core) releaseState(now time.Time, p *peer) {
	c.concludePush(now, c.push.Release(c.push.outcomes, now, &c.members, &p.push))
}

// pullRandom does a push/pull with a member drawn at random, or with one that the application selects.
func (c *Core) pullRandom(now time.Time) {
	if !c.self.Live() || c.members.CountGo() < 2 {
		return
	}
	if c.cfg.AskSelection {
		c.push.AwaitSelection()
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
	c.push.PullFrom(m.ID)
	switch p := c.peers[m.ID]; {
	case p != nil && p.set.Current(now) != nil:
		c.pullReady(now, p)
	case !c.hs.dials.Dialing(m.ID):
		c.hs.dialMember(now, wire.Path{Remote: m.Addr}, m.ID, dialFor)
	}
}

// pullReady does the push/pull that waited for a session with p.
func (c *Core) pullReady(now time.Time, p *peer) {
	if !p.legacy && c.push.TakePull(p.id) {
		c.pushPull(now, p, false)
	}
}
