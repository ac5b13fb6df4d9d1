package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A node that hears a gwyh 0.1 member no longer asks the other Go nodes before it declares the member dead
// (docs/PROTOCOL.md L12). The question is a suspect entry, and the answer an alive entry with a higher incarnation. So a node
// that has lost nothing except its own session accuses no node.
const (
	askAfter  = 13 * time.Second       // of silence: other nodes have two seconds to vouch before the member counts as lost
	askPause  = time.Second            // between two questions about one member that are asked, answered or passed on
	vouchMax  = 200 * time.Millisecond // a node waits up to this long before it vouches: another one may do so first
	answerFor = 2 * time.Second        // a packet that opens so soon after a question still answers it
)

// questionRate bounds the questions about all members, because every Go node passes each of them on.
var questionRate = quota.Rate{Burst: 64, Every: 30 * time.Millisecond}

// askOthers asks all Go nodes whether they hear a member, of which an incarnation is doubted.
func (g *Gateway) askOthers(out []Outcome, now time.Time, t *members.Table, m *members.Entry, incarnation uint64) []Outcome {
	if !g.mayAsk(now, m) {
		return out
	}
	return append(out, Outcome{Kind: PassQuestion, Member: m, Incarnation: incarnation, By: t.Self().ID})
}

func (g *Gateway) mayAsk(now time.Time, m *members.Entry) bool {
	if last, ok := g.asked.Get(m.ID); ok && now.Sub(last) < askPause {
		return false
	}
	if !g.questions.Take(now, questionRate) {
		g.Stats.Excess++
		return false
	}
	g.asked.Set(m.ID, now)
	return true
}

// handleQuestion takes the question of a Go node whether a member is heard. A node that knows a higher incarnation tells the
// asker. Any other node passes the question on and, if it has a session with the member, asks it for a sign of life.
func (g *Gateway) handleQuestion(out []Outcome, now time.Time, n Node, t *members.Table, m *members.Entry, e *wire.Member, from wire.NodeID) []Outcome {
	switch {
	case !live(m):
		g.Stats.Stale++
		return out
	case m.Incarnation > e.Incarnation:
		g.Stats.Stale++
		if from == (wire.NodeID{}) {
			return out
		}
		return append(out, Outcome{Kind: Tell, Member: m, ID: from})
	case !g.mayAsk(now, m):
		return out
	}
	out = append(out, Outcome{Kind: PassQuestion, Member: m, Incarnation: e.Incarnation, By: e.From, From: from})
	p := n.Peer(m.ID)
	if p == nil {
		return out
	}
	c := n.Contact(now, p)
	if !c.Session {
		return out
	}
	p.question = question{incarnation: e.Incarnation, until: now.Add(answerFor)}
	if millis(c.Opened) > e.Incarnation && now.Sub(c.Heard) < silenceCheck {
		g.vouchSoon(now, p)
		return out
	}
	return append(out, Outcome{Kind: Ping, Peer: p})
}

// AnswerQuestion follows a packet of a peer that has opened: a question about the peer is answered.
func (g *Gateway) AnswerQuestion(now time.Time, p *Peer) {
	if p.question.until.After(now) {
		g.vouchSoon(now, p)
	}
}

// vouchSoon answers a question about a peer that is heard, unless another node has answered it by then.
func (g *Gateway) vouchSoon(now time.Time, p *Peer) {
	about := p.question.incarnation
	p.question = question{}
	g.later(now, g.between(0, vouchMax), chore{task: vouchFor, of: p.id, incarnation: about})
}

// watch asks the other Go nodes, once in each silence, about a peer of which nothing came for long.
func (g *Gateway) watch(out []Outcome, now time.Time, t *members.Table, p *Peer, c Contact) []Outcome {
	m := t.Get(p.id)
	if !live(m) || p.doubted.After(c.Heard) || now.Sub(c.Heard) < askAfter {
		return out
	}
	p.doubted, p.doubt = now, m.Incarnation
	return g.askOthers(out, now, t, m, m.Incarnation)
}

// vouchedFor reports whether other nodes have vouched for a peer since this node began to doubt that it lives.
func (p *Peer) vouchedFor(m *members.Entry, heard time.Time) bool {
	return p.doubted.After(heard) && m.Incarnation > p.doubt
}
