package legacy

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// HintRate limits how many PeerStatus messages about Go nodes that are not members this node follows up.
var HintRate = quota.Rate{Burst: 8, Every: time.Second}

// pass returns the outcome that passes on a PeerStatus that has arrived.
func (s *Outcome) pass() Outcome {
	return Outcome{Kind: PassStatus, Status: s.Status, From: s.From, Of: s.Of, Up: s.Up}
}

// HandleStatus handles a PeerStatus that this node has not seen before, as reported by StatusArrived: a gwyh 0.1 node
// states that a node is up or down. It is passed on once, unless this node has better information (PROTOCOL.md L3).
func (g *Gateway) HandleStatus(out []Outcome, now time.Time, n Node, t *members.Table, s Outcome) []Outcome {
	known := t.Get(s.Of.ID)
	up := live(known)
	switch {
	case s.Of.ID == t.Self().ID:
		if s.Up {
			return out
		}
		return g.refuteOwnDown(out, now)
	case s.Of.ID.IsGo():
		return g.statusOfGo(out, now, t, known, s)
	case s.Up:
		out = append(out, s.pass())
		if !up {
			g.attempt(now, t, s.Of, Dial)
		}
		return out
	case !up:
		return append(out, s.pass())
	}
	if p := g.Peer(s.Of.ID); p != nil && n.Contact(now, p).Session {
		return g.checkDown(out, now, t, p, claim{status: s.Status, from: s.From})
	}
	return out
}

// statusOfGo handles a PeerStatus about a Go node. It changes no entry, because a Go node announces its own state and
// address. If no Go node has announced the node, this node contacts it.
func (g *Gateway) statusOfGo(out []Outcome, now time.Time, t *members.Table, known *members.Entry, s Outcome) []Outcome {
	up := live(known)
	switch {
	case up != s.Up:
		if s.Up {
			g.followHint(now, t, s.Of)
		}
		return out
	case up && known.Addr != s.Of.Addr:
		return out
	}
	return append(out, s.pass())
}

// followHint contacts a Go node that no Go node has announced. The PeerStatus is not trusted: the handshake is for that
// id and proves it, and the node becomes a member only by its own alive entry.
func (g *Gateway) followHint(now time.Time, t *members.Table, of wire.Peer) {
	if !g.hints.Take(now, HintRate) {
		g.Stats.Excess++
		return
	}
	g.attempt(now, t, of, ContactNode)
}

// Representable reports whether an address may be sent to a gwyh 0.1 peer at another address. The peer would misread an
// address of another address family as one of its own family.
func Representable(peer, addr netip.AddrPort) bool {
	return addr.IsValid() && addr.Port() > 0 && peer.Addr().Unmap().Is4() == addr.Addr().Unmap().Is4()
}
