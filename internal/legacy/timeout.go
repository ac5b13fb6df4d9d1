package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
)

// HandleTimeout runs the first job that is due, if any. Call it until NextTimeout is later than now.
func (g *Gateway) HandleTimeout(out []Outcome, now time.Time, n Node, t *members.Table) []Outcome {
	if len(g.jobs) == 0 || g.jobs[0].at.After(now) {
		return out
	}
	c := g.jobs[0]
	g.jobs[0] = job{}
	g.jobs = g.jobs[1:]
	g.changed = true
	switch c.task {
	case endCheck:
		return g.believe(out, now, n, t, c.peer, c.check)
	case repeatPing:
		if c.peer.check == c.check && g.Peer(c.peer.id) == c.peer {
			out = append(out, Outcome{Kind: Ping, Peer: c.peer})
		}
	case pingStranger:
		return g.pingStrangerAgain(out, now, n, t, c.peer, c.tries)
	case vouchFor:
		if m := t.Get(c.of); m != nil && m.Live() && m.Incarnation <= c.incarnation {
			out = g.vouch(out, now, t, m, c.incarnation)
		}
	case announceEnd:
		if m := c.member; !m.Live() && t.Get(m.ID) == m {
			out = append(out, announcement(m, false))
		}
	case handshakeWithAll:
		return g.handshakeWithAll(out, now, n, t)
	case tryAddress:
		return g.tryAddress(out, now, n, t, c)
	case endAttempt:
		g.attempts--
	case askList:
		if t.CountGo()-1 < g.cfg.Subscriptions {
			out = g.askForPeers(out, now, t, c.peer)
		}
	}
	return out
}
