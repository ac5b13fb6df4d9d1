package gossip

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Capabilities of a node.
const (
	asksMerge   = 1 << 0 // its application is asked before clusters become one
	judgesNodes = 1 << 1 // it may refuse a node that joins for more reasons than others do
)

// rollGone bounds the dead and departed of a roll.
const rollGone = 1024

// VetoError says that the other end of a Join refuses to become one cluster with this node, or to take it in.
type VetoError struct{ Reason string }

func (e *VetoError) Error() string { return fmt.Sprintf("the other side refuses: %q", e.Reason) }

// capabilities is what the handshake tells others that we can.
func capabilities(cfg *Config) (bits uint32) {
	if cfg.AskMerge {
		bits |= asksMerge
	}
	if cfg.AskAlive || cfg.Allow != nil || cfg.MetaMax != metaUsual {
		bits |= judgesNodes
	}
	return bits
}

// metaUsual is the bound of metadata that nodes have if nothing else is configured, in bytes.
const metaUsual = 512

// asksAboutAll reports whether all members are judged before this node and p become one cluster.
func (c *Core) asksAboutAll(p *peer) bool {
	return c.cfg.AskMerge || p.asksMerge || p.versions != c.self.Versions
}

// judged reports whether one of the two ends of a Join judges the other before anything else is told.
func (c *Core) judged(p *peer) bool {
	return c.asksAboutAll(p) || p.judges || capabilities(&c.cfg)&judgesNodes != 0
}

// advanceJoins begins what Joins wait for and the bounds now allow: the states, and the agreement.
func (c *Core) advanceJoins(now time.Time) {
	for _, j := range slices.Clone(c.joins) {
		p := j.peer
		if !j.greeted || p == nil || p.legacy {
			continue
		}
		if j.wantsState && j.exchange == nil {
			c.exchangeStates(now, p, wire.UseJoinPush, j, j.until)
		}
		if j.agreed || j.rolls != nil {
			continue
		}
		if !c.judged(p) {
			c.agree(now, j)
		} else if j.rolls = c.begin(now, p, wire.UseRoll, j, j.until); j.rolls != nil {
			c.push(now, j.rolls)
		}
	}
}

// agree lets a Join begin to take in members, and tell its own.
func (c *Core) agree(now time.Time, j *join) {
	j.agreed = true
	c.greet(now, j.peer)
	if e := j.exchange; e != nil && e.phase == ready {
		c.push(now, e)
	}
}

// exchangeEnded takes note that an exchange that a Join waited for is over.
func (c *Core) exchangeEnded(now time.Time, j *join, e *exchange, err error) {
	j.wantsState = j.wantsState && e.rolls()
	if err != nil {
		c.endJoin(now, j, err)
		return
	}
	c.joinCalm(now, j)
}

// roll is what p judges: this node, and if all members are judged all that we know, and the dead and departed that
// we know by name.
func (c *Core) roll(p *peer) (b []byte) {
	if !c.asksAboutAll(p) {
		return wire.AppendRoll(nil, c.self.Fill(&c.entry))
	}
	for m := range c.members.Each {
		e := m.Fill(&c.entry)
		e.State = m.State
		b = wire.AppendRoll(b, e)
	}
	for m := range c.members.LastTombstones(rollGone) {
		b = wire.AppendRoll(b, m.Fill(&c.entry))
	}
	return b
}

func errRollTooLarge(size int) error {
	return fmt.Errorf("the list of all members has %d bytes, of which at most %d can be sent", size, MessageMax)
}

// judgeRoll holds the members that a peer knows, and the peer itself, against what this node takes in, and lets the
// application judge.
func (c *Core) judgeRoll(now time.Time, e *exchange) {
	c.withdraw(now, e)
	var peers []Member
	var veto error
	err := wire.ParseRoll(e.got, func(m *wire.Member) bool {
		peers = append(peers, c.members.MemberOf(m))
		if m.ID == e.peer.id && m.State <= wire.StateSuspect && !c.isLive(m.ID) {
			node := peers[len(peers)-1]
			e.node = &node
			var d Drop
			if d, veto = c.refusal(m); veto != nil {
				c.drop(d)
			}
		}
		return len(peers) < members.Max+rollGone
	})
	e.got = nil
	if err != nil {
		c.drop(DropMalformedBody)
		c.endExchange(now, e, err)
		return
	}
	e.phase = asked
	if err := c.disagreement(peers); err != nil {
		veto = err
	}
	switch {
	case veto != nil:
		c.settleRoll(now, e, veto)
	case c.cfg.AskMerge:
		c.events = append(c.events, Event{Kind: EventMergeAsked, State: e.token, Token: e.join.tokenOrNone(), Peers: peers})
	default:
		c.judgeNode(now, e)
	}
}

// AnswerMerge answers an EventMergeAsked; an error keeps the clusters apart.
func (c *Core) AnswerMerge(now time.Time, t StateToken, veto error) {
	e := c.exchanges.byID[t]
	switch {
	case e == nil || e.phase != asked || !e.rolls() || e.vote != 0:
	case veto != nil:
		c.settleRoll(now, e, veto)
	default:
		c.judgeNode(now, e)
	}
}

// judgeNode asks the application about the peer of a roll, if it wants to be asked.
func (c *Core) judgeNode(now time.Time, e *exchange) {
	if e.node == nil || !c.cfg.AskAlive {
		c.settleRoll(now, e, nil)
		return
	}
	x := &c.votes
	x.last++
	e.vote = x.last
	if x.rolls == nil {
		x.rolls = make(map[VoteToken]*exchange)
	}
	x.rolls[e.vote] = e
	c.events = append(c.events, Event{Kind: EventAliveAsked, Vote: e.vote, Token: e.join.tokenOrNone(), Member: *e.node})
}

// answerNode goes on with a Join whose other end the application has judged.
func (c *Core) answerNode(now time.Time, e *exchange, veto error) {
	delete(c.votes.rolls, e.vote)
	if veto == nil {
		e.peer.approved = e.node
	}
	c.settleRoll(now, e, veto)
}

// settleRoll goes on with a Join, or ends it. The one that joins tells nothing before both have agreed.
func (c *Core) settleRoll(now time.Time, e *exchange, veto error) {
	j, p := e.join, e.peer
	var roll []byte
	if !e.ours && veto == nil {
		if roll = c.roll(p); len(roll) > MessageMax {
			veto = errRollTooLarge(len(roll))
		}
	}
	if veto != nil {
		c.stats.Vetoed++
		c.warn(now, "merge", "not becoming one cluster with %q at %s: %q", c.nameOf(p), p.set.Path().Remote, veto.Error())
		p.vetoed = p.vetoed || !c.isLive(p.id)
	}
	switch {
	case e.ours:
		e.join = nil
		c.endExchange(now, e, nil)
		if veto != nil {
			c.endJoin(now, j, veto)
		} else {
			c.agree(now, j)
		}
	case veto != nil:
		reason := veto.Error()
		c.answer(now, e, wire.UseVeto, []byte(reason[:min(len(reason), wire.ReasonMax)]))
		c.endExchange(now, e, nil)
	default:
		c.answer(now, e, e.use.Answer(), roll)
		c.endExchange(now, e, nil)
	}
}

// handleVeto ends the Join that the other side refuses.
func (c *Core) handleVeto(now time.Time, e *exchange, reason []byte) {
	c.warn(now, "refused", "%q at %s refuses this node: %q", c.nameOf(e.peer), e.peer.set.Path().Remote, reason)
	c.endExchange(now, e, &VetoError{Reason: string(reason)})
}

// VersionError says that two nodes speak versions of the application's protocol, or of memberlist's,
// that not both of them understand.
type VersionError struct {
	Names    [2]string
	Versions [2][6]byte
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%q and %q do not understand each other: versions (least, greatest, spoken of the library; of the application) are %v and %v",
		e.Names[0], e.Names[1], e.Versions[0], e.Versions[1])
}

// understand reports whether each of two nodes speaks what the other understands, of both protocols.
func understand(a, b [6]byte) bool {
	for i := 0; i < len(a); i += 3 {
		if a[i+2] < b[i] || a[i+2] > b[i+1] || b[i+2] < a[i] || b[i+2] > a[i+1] {
			return false
		}
	}
	return true
}

// versionsKnown bounds the versions that are remembered to be understood by all, and those of a roll. walksMax
// bounds the walks over all members, to hold other versions against theirs, in a walksWindow: who makes up
// versions shall not make this node do nothing else.
const (
	versionsKnown = 64
	walksMax      = 64
	walksWindow   = 100 * time.Millisecond
)

var walkRate = quota.Rate{Burst: walksMax, Every: walksWindow / walksMax}

var errVersionsMany = errors.New("its members have too many kinds of versions")

// understood are versions that all members understand, and that understand them all. Each was so when
// it was put in; a member of other versions takes out those that it does not go with.
type understood [][6]byte

// stranger is the member that does not go with some versions; nil when all do. That of id but does not
// count.
func (c *Core) stranger(v [6]byte, but wire.NodeID) *members.Entry {
	if slices.Contains(c.understood, v) {
		return nil
	}
	for m := range c.members.Each {
		if m.ID != but && !m.Legacy() && !understand(v, m.Versions) {
			return m
		}
	}
	return nil
}

// goesWithOthers reports whether an alive entry is of a node that understands all members, and is
// understood by them.
func (c *Core) goesWithOthers(now time.Time, e *wire.Member, from *peer) bool {
	if !slices.Contains(c.understood, e.Versions) && !c.walks.Take(now, walkRate) {
		c.drop(DropVersions) // a comparison brings it again
		return false
	}
	s := c.stranger(e.Versions, e.ID)
	if from != nil && from.id == e.ID {
		from.vetoed = s != nil && !c.isLive(from.id)
	}
	if s == nil {
		if !c.isLive(e.ID) { // whose versions of before were not looked at
			c.noteVersions(e.Versions)
		}
		return true
	}
	c.drop(DropVersions)
	err := VersionError{Names: [2]string{string(e.Name), s.Name}, Versions: [2][6]byte{e.Versions, s.Versions}}
	c.warn(now, "versions", "%q at %s is kept out: %v", e.Name, e.Addr, &err)
	return false
}

// noteVersions follows the versions of members that are taken in, or may be.
func (c *Core) noteVersions(v [6]byte) {
	if slices.Contains(c.understood, v) {
		return
	}
	c.understood = slices.DeleteFunc(c.understood, func(o [6]byte) bool { return !understand(o, v) })
	if len(c.understood) >= versionsKnown {
		c.understood = c.understood[1:]
	}
	c.understood = append(c.understood, v)
}

// disagreement is why the nodes of a roll cannot become members beside ours; nil when they can. Which is
// that each speaks what all others understand.
func (c *Core) disagreement(peers []Member) error {
	var distinct []Member
	for _, m := range peers {
		if m.State > wire.StateSuspect || !m.ID.IsGo() || slices.ContainsFunc(distinct, func(o Member) bool { return o.Versions == m.Versions }) {
			continue
		}
		if len(distinct) == versionsKnown {
			return errVersionsMany
		}
		if s := c.stranger(m.Versions, m.ID); s != nil {
			return &VersionError{Names: [2]string{m.Name, s.Name}, Versions: [2][6]byte{m.Versions, s.Versions}}
		}
		distinct = append(distinct, m)
	}
	return nil
}
