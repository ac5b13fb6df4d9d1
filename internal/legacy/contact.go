package legacy

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// StartRate limits the answers to StartSubscription of one peer. Each answer is forwarded through the cluster of gwyh
// 0.1 nodes, and one forwarded StartSubscription may cause any number of them.
var StartRate = quota.Rate{Burst: 16, Every: time.Second / 4}

// Name returns the name that every Go node derives for the gwyh 0.1 node at an address. A node that restarts at the
// same address replaces its predecessor.
func Name(addr netip.AddrPort) string { return "gwyh01-" + addr.String() }

// AddPeer returns the state of a new gwyh 0.1 peer, which the Gateway keeps until RemovePeer.
func (g *Gateway) AddPeer(id wire.NodeID) *Peer {
	p := &Peer{id: id, lease: Lease + g.between(0, Lease/4)}
	g.peers[id] = p
	return p
}

// RemovePeer removes a peer, and its link if it has one.
func (g *Gateway) RemovePeer(p *Peer) {
	g.SetLinked(p, false)
	delete(g.peers, p.id)
}

// SetLinked records that the link with a peer has begun or ended.
func (g *Gateway) SetLinked(p *Peer, linked bool) {
	if p.linked == linked {
		return
	}
	p.linked = linked
	if linked {
		g.links++
	} else {
		g.links--
	}
}

// Ready handles the end of a handshake with a peer.
func (g *Gateway) Ready(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer) []Outcome {
	p.fresh = true
	out, done := g.subscribe(out, now, n, t, p)
	if done {
		return out
	}
	return g.pingStranger(out, now, n, p, strangerTries)
}

// pingStranger pings a peer that is not a member yet, because an answer makes it one. It repeats the ping, because the answer
// may be lost and the application may still have to decide.
func (g *Gateway) pingStranger(out []Outcome, now time.Time, n Node, p *Peer, tries int) []Outcome {
	if !n.Contact(now, p).Opened.Equal(now) { // otherwise a packet of it has just arrived
		out = append(out, Outcome{Kind: Ping, Peer: p})
	}
	g.later(now, time.Second, job{task: pingStranger, peer: p, tries: tries})
	return out
}

func (g *Gateway) pingStrangerAgain(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer, tries int) []Outcome {
	if g.Peer(p.id) != p {
		return out
	}
	out, done := g.subscribe(out, now, n, t, p)
	if done || tries <= 1 {
		return out
	}
	return g.pingStranger(out, now, n, p, tries-1)
}

// Subscribe subscribes to a peer after a handshake if it is a member: once, and again only if the peer forgot this node.
func (g *Gateway) Subscribe(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer) []Outcome {
	out, _ = g.subscribe(out, now, n, t, p)
	return out
}

// subscribe does the work of Subscribe. It also reports whether there is nothing left to wait for.
func (g *Gateway) subscribe(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer) ([]Outcome, bool) {
	if !p.fresh || !t.Self().Live() {
		return out, true
	}
	c := n.Contact(now, p)
	if c.Vetoed {
		return out, true
	}
	if !t.IsLive(p.id) {
		return out, false
	}
	switch {
	case !c.Subscribing && (p.linked || g.links < LinksMax):
		out = append(out, Outcome{Kind: Subscribe, Peer: p})
	case c.Subscribing && p.forgot:
		out = append(out, Outcome{Kind: Resubscribe, Peer: p})
	}
	p.fresh, p.forgot = false, false
	return out, true
}

// handleStart answers a StartSubscription of a peer. The peer may have forwarded it for another node; then the answer
// does no harm (PROTOCOL.md L4).
func (g *Gateway) handleStart(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer) []Outcome {
	if !t.Self().Live() || !t.IsLive(p.id) {
		return out
	}
	c := n.Contact(now, p)
	full := !c.Subscriber && !p.linked && g.links >= LinksMax
	if full || !p.answers.Take(now, StartRate) {
		g.Stats.Excess++
		return out
	}
	return append(out, Outcome{Kind: Serve, Peer: p}, Outcome{Kind: Request, Peer: p, Request: wire.KindSubscriptionStarted})
}

// Tick monitors a peer. It returns the time of the next call, or zero for never.
func (g *Gateway) Tick(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer) (_ []Outcome, next time.Time) {
	c := n.Contact(now, p)
	if !p.linked && !c.Subscribing {
		return out, time.Time{}
	}
	switch silent := now.Sub(c.Heard); {
	case silent >= Silence:
		return g.lose(out, now, t, p, c), time.Time{}
	case silent < silenceCheck:
		next = c.Heard.Add(silenceCheck)
	default: // it may be gone, or have lost the key of this node
		if now.Sub(p.checked) >= framePause {
			p.checked = now
			out = append(out, Outcome{Kind: Ping, Peer: p})
		}
		out = g.handshakeAgain(out, now, n, p)
		out = g.watch(out, now, t, p, c)
		next = p.checked.Add(framePause)
	}
	if !c.Subscribing {
		return out, next
	}
	beat := p.beat
	if c.AskedAt.After(beat) {
		beat = c.AskedAt
	}
	forgot := beat.Add(Silence)
	if !forgot.After(now) {
		p.forgot = true
		out = g.handshakeAgain(out, now, n, p)
		forgot = p.again
	}
	return out, timer.Soonest(next, forgot)
}

// handshakeAgain begins another handshake with a peer that may have forgotten this node, after increasing pauses.
func (g *Gateway) handshakeAgain(out []Outcome, now time.Time, n Node, p *Peer) []Outcome {
	if p.again.After(now) {
		return out
	}
	p.pause = min(max(2*p.pause, handshakePause), handshakePauseMax)
	p.again = now.Add(p.pause)
	return beginHandshake(out, n, p)
}

// beginHandshake begins a handshake with a peer unless one is in progress.
func beginHandshake(out []Outcome, n Node, p *Peer) []Outcome {
	if n.Dialing(p.id) {
		return out
	}
	return append(out, Outcome{Kind: Shake, Peer: p})
}

// lose ends the link with a peer that stayed silent. If other nodes hear the peer, this node has lost only its own
// session: it does not declare the peer dead, and begins a handshake later.
func (g *Gateway) lose(out []Outcome, now time.Time, t *members.Table, p *Peer, c Contact) []Outcome {
	if m := t.Get(p.id); m != nil && m.Live() {
		if p.vouchedFor(m, c.Heard) {
			out = append(out, Outcome{Kind: Avoid, ID: m.ID})
		} else {
			out = g.declareDead(out, now, t, m, millis(c.Opened))
		}
	}
	return append(out, Outcome{Kind: EndLink, Peer: p})
}

// Heard makes a peer a member after a packet of it opened, or renews its incarnation. The caller calls
// [Gateway.EndCheck] and [Gateway.AnswerQuestion] before Heard, and [Gateway.Subscribe] after it.
func (g *Gateway) Heard(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer) []Outcome {
	c, m := n.Contact(now, p), t.Get(p.id)
	switch {
	case !t.Self().Live() || c.Undecided || c.Vetoed:
		return out
	case m == nil || !m.Live() && now.Sub(t.Since(m)) >= revive:
		return g.introduce(out, now, t, p, c, m)
	case m.Live() && millis(now) > m.Incarnation+uint64(p.lease.Milliseconds()):
		return g.vouch(out, now, t, m, 0)
	}
	return out
}

// introduce makes a gwyh 0.1 node a member that no Go node knew, or that all Go nodes considered dead.
func (g *Gateway) introduce(out []Outcome, now time.Time, t *members.Table, p *Peer, c Contact, m *members.Entry) []Outcome {
	if t.CountLegacy() >= MembersMax {
		g.Stats.Excess++
		return out
	}
	addr := unmap(c.Remote)
	e := &wire.Member{State: wire.StateAlive, ID: p.id, Incarnation: millis(now), Name: []byte(Name(addr)), Addr: addr,
		ZoneName: []byte(c.Zone.Name), HasZone: c.Zone.Valid, Named: millis(now)}
	if m != nil {
		e.Incarnation = max(e.Incarnation, m.Incarnation+1)
		if m.Named > 0 {
			e.Named = m.Named
		}
	}
	return append(out, Outcome{Kind: Introduce, Peer: p, Entry: e})
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Introduced must be called after an Introduce if the peer is a member now. It announces the peer to other gwyh 0.1 nodes.
func (g *Gateway) Introduced(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer) []Outcome {
	m := t.Get(p.id)
	if m == nil || !m.Live() {
		return out
	}
	out = append(out, announcement(m, true))
	if !n.Contact(now, p).Subscribing && !p.fresh { // it was reported down, so it has forgotten this node's subscription
		out = g.handshakeAgain(out, now, n, p)
	}
	return out
}
