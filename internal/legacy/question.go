package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A node that no longer hears a gwyh 0.1 member asks the other Go nodes before it declares the member dead
// (docs/PROTOCOL.md L12). The query is a suspect entry, and the answer an alive entry with a higher incarnation. So a
// node that has lost only its own session declares no member dead.
const (
	askAfter  = 13 * time.Second       // of silence: other nodes have 2 s to vouch before the member counts as lost
	askPause  = time.Second            // minimum time between two queries about one member sent, answered or passed on
	vouchMax  = 200 * time.Millisecond // maximum delay before a node vouches, because another node may do so first
	answerFor = 2 * time.Second        // a packet that opens within this time after a query still answers it
)

// questionRate limits the queries about all members, because every Go node passes each of them on.
var questionRate = quota.Rate{Burst: 64, Every: 30 * time.Millisecond}

// askOthers asks all Go nodes whether they hear a member. A higher incarnation than the given one is the answer.
func (g *Gateway) askOthers(out []Outcome, now time.Time, t *members.Table, m *members.Entry, incarnation uint64) []Outcome {
	if !g.mayAsk(now, m) {
		return out
	}
	return append(out, Outcome{Kind: PassQuestion, Member: m, Incarnation: incarnation, By: t.Self().ID})
}

func (g *Gateway) mayAsk(now time.Time, m *members.Entry) bool {
	if last, ok := g.queried.Get(m.ID); ok && now.Sub(last) < askPause {
		return false
	}
	if !g.questions.Take(now, questionRate) {
		g.Stats.Excess++
		return false
	}
	g.queried.Set(m.ID, now)
	return true
}

// handleQuestion handles the query of a Go node whether a member is heard. If this node knows a higher incarnation, it
// sends it to the sender. Otherwise it passes the query on and, if it has a session with the member, pings the member
// (PROTOCOL.md L12).
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
		return append(out, Outcome{Kind: SendEntry, Member: m, ID: from})
	case !g.mayAsk(now, m):
		return out
	}
	out = append(out, Outcome{Kind: PassQuestion, Member: m, Incarnation: e.Incarnation, By: e.From, From: from})
	p := g.Peer(m.ID)
	if p == nil {
		return out
	}
	c := n.Contact(now, p)
	if !c.Session {
		return out
	}
	p.question = question{incarnation: e.Incarnation, until: now.Add(answerFor)}
	if millis(c.Opened) > e.Incarnation && now.Sub(c.Heard) < silenceCheck && g.vouchSoon(now, p) {
		return out
	}
	return append(out, Outcome{Kind: Ping, Peer: p})
}

// AnswerQuestion must be called when a packet of a peer has opened. It answers an open query about the peer.
func (g *Gateway) AnswerQuestion(now time.Time, p *Peer) {
	if p.question.until.After(now) {
		g.vouchSoon(now, p)
	}
}

// vouchSoon schedules the answer to a query about a peer that is heard, in case no other node answers first. If it
// cannot, it returns false, and the query stays open until the next packet.
func (g *Gateway) vouchSoon(now time.Time, p *Peer) bool {
	ok := g.later(now, g.between(0, vouchMax), job{task: vouchFor, of: p.id, incarnation: p.question.incarnation})
	if ok {
		p.question = question{}
	}
	return ok
}

// watch asks the other Go nodes about a peer that has been silent for askAfter, once per silence.
func (g *Gateway) watch(out []Outcome, now time.Time, t *members.Table, p *Peer, c Contact) []Outcome {
	m := t.Get(p.id)
	if !live(m) || p.queriedAt.After(c.Heard) || now.Sub(c.Heard) < askAfter {
		return out
	}
	p.queriedAt, p.queriedIncarnation = now, m.Incarnation
	return g.askOthers(out, now, t, m, m.Incarnation)
}

// vouchedFor reports whether other nodes have vouched for a peer since this node asked about it.
func (p *Peer) vouchedFor(m *members.Entry, heard time.Time) bool {
	return p.queriedAt.After(heard) && m.Incarnation > p.queriedIncarnation
}
