package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// tombstonesMax is the maximum number of dead and departed nodes in a member list.
const tombstonesMax = 1024

// memberList returns the list that p judges: this node alone or, if all members are judged, every node that this node
// knows by name, including dead and departed ones (PROTOCOL.md B5).
func (x *Exchanger) memberList(t *members.Table, p *Peer) (b []byte) {
	var e wire.Member
	if !x.judgesAll(p) {
		return wire.AppendMemberList(nil, t.Self().Fill(&e))
	}
	for m := range t.Each {
		m.Fill(&e)
		e.State = m.State
		b = wire.AppendMemberList(b, &e)
	}
	for m := range t.LastTombstones(tombstonesMax) {
		b = wire.AppendMemberList(b, m.Fill(&e))
	}
	return b
}

// handleList processes the member list of a peer.
func (x *Exchanger) handleList(out []Outcome, t *members.Table, e *Exchange) []Outcome {
	out = x.withdraw(out, e)
	var list []members.Member
	err := wire.ParseMemberList(e.got, func(m *wire.Member) bool {
		list = append(list, t.MemberOf(m))
		if m.ID == e.peer.ID && m.State <= wire.StateSuspect && !t.IsLive(m.ID) {
			node := list[len(list)-1]
			e.node = &node
		}
		return len(list) < members.Max+tombstonesMax
	})
	e.got = nil
	if err != nil {
		x.Stats.Malformed++
		return x.end(out, e, err)
	}
	e.phase = asking
	return append(out, Outcome{Kind: ListArrived, Exchange: e, Peer: e.peer, Members: list, Member: e.node})
}

// JudgeList continues with a member list. veto is the reason why this node refuses the peer, or nil. Without a veto, the
// versions of all members must be compatible, and then the application decides.
func (x *Exchanger) JudgeList(out []Outcome, now time.Time, t *members.Table, e *Exchange, list []members.Member, veto error) []Outcome {
	if !x.InProgress(e) {
		return out
	}
	if err := x.Versions.disagreement(t, list); err != nil {
		veto = err
	}
	switch {
	case veto != nil:
		return x.settle(out, now, t, e, veto)
	case x.Config.AskMerge:
		return append(out, Outcome{Kind: MergeAsked, Token: e.token, Join: e.join, Members: list})
	}
	return x.judgeNode(out, now, t, e)
}

// AnswerMerge answers a MergeAsked. A non-nil veto keeps the clusters apart.
func (x *Exchanger) AnswerMerge(out []Outcome, now time.Time, t *members.Table, token Token, veto error) []Outcome {
	e := x.byID[token]
	switch {
	case e == nil || !e.mergeAsked():
		return out
	case veto != nil:
		return x.settle(out, now, t, e, veto)
	}
	return x.judgeNode(out, now, t, e)
}

// mergeAsked reports whether the application is deciding about the member list of the exchange.
func (e *Exchange) mergeAsked() bool { return e.phase == asking && e.ofMembers() && e.vote == 0 }

// judgeNode asks the application about the peer of a member list, if AskAlive is set (PROTOCOL.md B6).
func (x *Exchanger) judgeNode(out []Outcome, now time.Time, t *members.Table, e *Exchange) []Outcome {
	if e.node == nil || !x.Config.AskAlive {
		return x.settle(out, now, t, e, nil)
	}
	e.vote = x.votes.askOfList(e)
	return append(out, Outcome{Kind: AliveAsked, Vote: e.vote, Join: e.join, Member: e.node})
}

// AnswerNode answers an AliveAsked about the other end of a Join. It returns false if vote is not such a question.
func (x *Exchanger) AnswerNode(out []Outcome, now time.Time, t *members.Table, vote VoteToken, veto error) ([]Outcome, bool) {
	e := x.votes.ofLists[vote]
	if e == nil {
		return out, false
	}
	delete(x.votes.ofLists, vote)
	if veto == nil {
		e.peer.approved = e.node
	}
	return x.settle(out, now, t, e, veto), true
}

// settle continues or ends a Join. The joining node sends its members only after both nodes have agreed.
func (x *Exchanger) settle(out []Outcome, now time.Time, t *members.Table, e *Exchange, veto error) []Outcome {
	j, p := e.join, e.peer
	var list []byte
	if !e.ours && veto == nil {
		if list = x.memberList(t, p); len(list) > x.Config.MessageMax {
			veto = errListTooLarge(len(list), x.Config.MessageMax)
		}
	}
	if veto != nil {
		x.Stats.Vetoed++
		out = append(out, Outcome{Kind: VetoedHere, Peer: p, Err: veto})
		p.Vetoed = p.Vetoed || !t.IsLive(p.ID)
	}
	switch {
	case e.ours:
		e.join = nil
		out = x.end(out, e, nil)
		if veto != nil {
			return append(out, Outcome{Kind: JoinFailed, Join: j, Err: veto})
		}
		return x.agree(out, now, t, j)
	case veto != nil:
		reason := veto.Error()
		return x.answer(out, now, e, wire.UseVeto, []byte(reason[:min(len(reason), wire.ReasonMax)]))
	}
	return x.answer(out, now, e, e.use.Answer(), list)
}
