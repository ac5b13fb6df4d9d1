package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A peer that is reported down is pinged first (docs/PROTOCOL.md L6).
const (
	checkPings     = 3 // empty Frames in a check, one per framePause
	claimsMax      = 8 // claims recorded during one check
	RefuteMin      = 1500 * time.Millisecond
	RefuteMax      = 3 * time.Second
	RefuteInterval = 10 * time.Second
)

// checkDown pings a peer three times in 1.5 s, and asks the other Go nodes once. Any packet of the peer ends the check,
// and so does another node that vouches for the peer (PROTOCOL.md L6).
func (g *Gateway) checkDown(out []Outcome, now time.Time, t *members.Table, p *Peer, c claim) []Outcome {
	if ch := p.check; ch != nil {
		if len(ch.claims) < claimsMax {
			ch.claims = append(ch.claims, c)
		}
		return out
	}
	m := t.Get(p.id)
	if !live(m) {
		return out
	}
	if len(g.jobs)+checkPings > JobsMax { // the end of a check, and its further pings
		g.Stats.Excess++
		return out
	}
	ch := &check{claims: []claim{c}, began: max(m.Incarnation, c.incarnation)}
	g.later(now, checkPings*framePause, job{task: endCheck, peer: p, check: ch})
	p.check = ch
	out = g.askOthers(out, now, t, m, ch.began)
	out = append(out, Outcome{Kind: Ping, Peer: p})
	for i := 1; i < checkPings; i++ {
		g.later(now, time.Duration(i)*framePause, job{task: repeatPing, peer: p, check: ch})
	}
	return out
}

// believe ends a check that was not answered.
func (g *Gateway) believe(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer, ch *check) []Outcome {
	if p.check != ch {
		return out
	}
	p.check = nil
	m := t.Get(p.id)
	if !live(m) || m.Incarnation > ch.began {
		return out // the member is gone, or another node has vouched for it since
	}
	latest := millis(n.Contact(now, p).Opened)
	for _, c := range ch.claims {
		latest = max(latest, c.incarnation)
		if c.status != (wire.MessageID{}) {
			out = append(out, Outcome{Kind: PassStatus, Status: c.status, From: c.from, Of: of(m)})
		}
	}
	return g.declareDead(out, now, t, m, latest)
}

// EndCheck must be called when a packet of a peer has opened. If a check was in progress, it vouches for the peer to
// the Go nodes that declared the peer dead.
func (g *Gateway) EndCheck(out []Outcome, now time.Time, t *members.Table, p *Peer) []Outcome {
	ch := p.check
	if ch == nil {
		return out
	}
	p.check = nil
	var above uint64
	for _, c := range ch.claims {
		above = max(above, c.incarnation)
	}
	if m := t.Get(p.id); above > 0 && live(m) {
		out = g.vouch(out, now, t, m, above)
	}
	return out
}

// refuteOwnDown handles a claim of gwyh 0.1 nodes that this node is down. When the flood of such claims has passed,
// this node begins a handshake with each linked gwyh 0.1 peer, because each has forgotten it.
func (g *Gateway) refuteOwnDown(out []Outcome, now time.Time) []Outcome {
	wait := g.between(RefuteMin, RefuteMax)
	if again := g.refuted.Add(RefuteInterval); again.After(now.Add(wait)) {
		if g.refuted.After(now) {
			return out // a refutation is scheduled
		}
		wait = again.Sub(now)
	}
	g.refuted = now.Add(wait)
	g.schedule(now, wait, job{task: handshakeWithAll})
	return append(out, Outcome{Kind: CalledDown})
}

func (g *Gateway) handshakeWithAll(out []Outcome, now time.Time, n Node, t *members.Table) []Outcome {
	if !t.Self().Live() {
		return out
	}
	for _, m := range t.Live() {
		p := g.Peer(m.ID)
		if p == nil {
			continue
		}
		c := n.Contact(now, p)
		if !p.linked {
			continue
		}
		p.forgot = c.Subscribing
		out = beginHandshake(out, n, p)
	}
	return out
}
