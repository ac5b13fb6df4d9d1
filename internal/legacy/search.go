package legacy

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and limits of the search for nodes that gwyh 0.1 nodes know (docs/PROTOCOL.md L3, L5).
const (
	AttemptsMax   = 32              // addresses that are tried at once
	AttemptWithin = 2 * time.Second // maximum time before an address is tried; the first Go node to reach it informs others
	attemptLasts  = 5 * time.Second // how long an address is tried
	listAfter     = 2 * time.Second // from the first contact with a seed to the request for the nodes it knows
	listPause     = time.Second     // between two such requests of this node
	listAgain     = time.Minute     // between the requests of a node that knows no other Go node; it doubles each time
	listRarely    = 5 * time.Minute // upper bound of that time
	listAnswer    = 10 * time.Second
	listPeers     = 64 // nodes of an answer that are considered
)

// attempt schedules an attempt to reach a node that a gwyh 0.1 peer named, unless another Go node reaches it first. The
// number of attempts is limited, because a peer may name any address. reach is Dial, Meet or ContactNode.
func (g *Gateway) attempt(now time.Time, t *members.Table, of wire.Peer, reach OutcomeKind) {
	addr, own := unmap(of.Addr), t.Self().Addr
	ip, ownIP := addr.Addr(), own.Addr().Unmap()
	switch {
	case g.attempts >= AttemptsMax, !addr.IsValid() || addr.Port() == 0 || addr == own:
		g.Stats.Excess++
		return
	case ownIP.IsValid() && ownIP.Is4() != ip.Is4(), g.cfg.Allow != nil && !g.cfg.Allow(ip):
		g.Stats.Address++
		return
	}
	if g.later(now, g.between(0, AttemptWithin), job{task: tryAddress, of: of.ID, addr: addr, reach: reach}) {
		g.attempts++
	}
}

func (g *Gateway) tryAddress(out []Outcome, now time.Time, n Node, t *members.Table, c job) []Outcome {
	if t.IsLive(c.of) || n.Dialing(c.of) || !t.Self().Live() {
		g.attempts--
		return out
	}
	if !g.later(now, attemptLasts, job{task: endAttempt}) {
		g.attempts--
	}
	return append(out, Outcome{Kind: c.reach, ID: c.of, Addr: c.addr})
}

// AskSeed handles the first contact with a gwyh 0.1 seed. While this node knows fewer Go nodes than it would subscribe
// to, it asks the seed once for the nodes it knows. The request is forwarded through the gwyh 0.1 cluster, so it is
// delayed until other nodes have had time to find this one, and until after the requests to other seeds
// (PROTOCOL.md L5).
func (g *Gateway) AskSeed(now time.Time, p *Peer) {
	if p.listWanted {
		return
	}
	at := now.Add(listAfter)
	if g.listNext.After(at) {
		at = g.listNext
	}
	p.listWanted = g.later(now, at.Sub(now), job{task: askList, peer: p})
	if p.listWanted {
		g.listNext = at.Add(listPause)
	}
}

// AskAgain asks a gwyh 0.1 member with which this node has a session for the nodes it knows, while this node knows no
// other Go node: one may have joined since, or the answer may have been lost. list contains the gwyh 0.1 members.
func (g *Gateway) AskAgain(out []Outcome, now time.Time, n Node, t *members.Table, list []*members.Entry) []Outcome {
	if t.CountGo() > 1 {
		g.listWait = 0
		return out
	}
	if g.listLast.IsZero() {
		g.listLast = now // they contacted this node, so there is no hurry
	}
	if now.Sub(g.listLast) < max(g.listWait, listAgain) {
		return out
	}
	list = slices.DeleteFunc(list, func(m *members.Entry) bool {
		p := g.Peer(m.ID)
		return p == nil || !n.Contact(now, p).Session
	})
	if len(list) == 0 {
		return out
	}
	g.listWait = min(max(2*g.listWait, listAgain), listRarely)
	return g.askForPeers(out, now, t, g.Peer(list[g.rng.IntN(len(list))].ID))
}

func (g *Gateway) askForPeers(out []Outcome, now time.Time, t *members.Table, p *Peer) []Outcome {
	if g.Peer(p.id) != p || !t.Self().Live() {
		return out
	}
	p.listAsked, g.listLast = now, now
	return append(out, Outcome{Kind: Request, Peer: p, Request: wire.KindPeerList})
}

// handlePeers handles the list of nodes that a peer knows, if this node requested it. Other lists are forwarded answers.
func (g *Gateway) handlePeers(now time.Time, t *members.Table, p *Peer, data []byte) {
	if p.listAsked.IsZero() || now.Sub(p.listAsked) > listAnswer {
		return
	}
	list, err := wire.ParsePeers(data)
	if err != nil {
		g.Stats.Malformed++
		return
	}
	for _, of := range list[:min(len(list), listPeers)] {
		switch {
		case of.ID == t.Self().ID || t.IsLive(of.ID):
		case of.ID.IsGo(): // it will be asked for its members
			g.attempt(now, t, of, ContactAddr)
		default:
			g.attempt(now, t, of, Dial)
		}
	}
}
