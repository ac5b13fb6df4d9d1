package legacy

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// HintRate bounds the PeerStatus about Go nodes that are not members which are followed.
var HintRate = quota.Rate{Burst: 8, Every: time.Second}

// pass is the outcome that passes on a PeerStatus that has arrived.
func (s *Outcome) pass() Outcome {
	return Outcome{Kind: PassStatus, Status: s.Status, From: s.From, Of: s.Of, Up: s.Up}
}

// HandleStatus takes in a PeerStatus that this node has not seen before, as it was told of by StatusArrived: the word of a
// gwyh 0.1 node that a node is up, or that it is down. It is passed on once, if this node knows nothing better.
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
		return g.statusOfGo(out, now, n, known, s)
	case s.Up:
		out = append(out, s.pass())
		if !up {
			g.hope(now, n, s.Of, Dial)
		}
		return out
	case !up:
		return append(out, s.pass())
	}
	if p := n.Peer(s.Of.ID); p != nil && n.Contact(now, p).Session {
		return g.checkDown(out, now, t, p, claim{status: s.Status, from: s.From})
	}
	return out
}

// statusOfGo takes a PeerStatus about a Go node. It changes nothing here, because a Go node tells its own state and its
// own address. One that no Go node has told about is contacted.
func (g *Gateway) statusOfGo(out []Outcome, now time.Time, n Node, known *members.Entry, s Outcome) []Outcome {
	up := live(known)
	switch {
	case up != s.Up:
		if s.Up {
			g.followHint(now, n, s.Of)
		}
		return out
	case up && known.Addr != s.Of.Addr:
		return out
	}
	return append(out, s.pass())
}

// followHint shakes hands with a Go node that no Go node has told about. The PeerStatus is not believed: the handshake is
// aimed at the id and proves it, and the node becomes a member by its own alive entry.
func (g *Gateway) followHint(now time.Time, n Node, of wire.Peer) {
	if !g.hints.Take(now, HintRate) {
		g.Stats.Excess++
		return
	}
	g.hope(now, n, of, MeetNode)
}

// Tellable reports whether an address may be told to a gwyh 0.1 peer at another address. The peer would take an address of
// another family than its own for one of its network.
func Tellable(peer, addr netip.AddrPort) bool {
	return addr.IsValid() && addr.Port() > 0 && peer.Addr().Unmap().Is4() == addr.Addr().Unmap().Is4()
}
