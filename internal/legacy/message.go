package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// HandleMessage handles a message of a peer. own says whether this node made the message and the peer has forwarded it
// back. HandleMessage reports whether the message is a broadcast that the caller must handle.
func (g *Gateway) HandleMessage(out []Outcome, now time.Time, n Node, t *members.Table, p *Peer, m *wire.Message, own bool) (_ []Outcome, broadcast bool) {
	switch m.Kind {
	case wire.KindBroadcast:
		if broadcast = t.Get(p.id) != nil && !n.Contact(now, p).Vetoed; !broadcast { // the application refused the peer
			g.Stats.Unexpected++
		}
	case wire.KindStartSubscription:
		if !own {
			out = g.handleStart(out, now, n, t, p)
		}
	case wire.KindSubscriptionStarted:
		if !own {
			out = append(out, Outcome{Kind: Confirmed, Peer: p})
		}
	case wire.KindHeartbeat: // the peer has not forgotten this node
		p.beat, p.pause, p.forgot = now, 0, false
	case wire.KindPeerStatus:
		of, up, err := wire.ParsePeerStatus(m.Data)
		if err != nil {
			g.Stats.Malformed++
			break
		}
		out = append(out, Outcome{Kind: StatusArrived, Status: m.ID, From: p.id, Of: of, Up: up})
	case wire.KindPeers:
		g.handlePeers(now, t, p, m.Data)
	case wire.KindNak, wire.KindFrame, wire.KindEndSubscription, wire.KindPeerList:
		// These only show that the peer is alive: PROTOCOL.md 3 says why none of them is answered.
	default:
		g.Stats.Unexpected++
	}
	return out, broadcast
}
