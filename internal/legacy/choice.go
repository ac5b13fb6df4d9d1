package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	Gates  = 5                // number of Go nodes that subscribe to each gwyh 0.1 member
	orphan = 11 * time.Minute // age of an incarnation, not renewed by any node, at which its member is dead
)

// Members returns the gwyh 0.1 members.
func Members(t *members.Table) (list []*members.Entry) {
	if t.CountLegacy() == 0 {
		return nil
	}
	for _, m := range t.Live() {
		if m.Legacy() {
			list = append(list, m)
		}
	}
	return list
}

// Choose subscribes to the gwyh 0.1 members for which this node is a gate. Every member has a few gates, which all Go nodes
// derive alike and which do not count in the choice of Go members. So every member has a gate, and a large cluster does not
// overload a small one. Choose also declares members dead whose incarnation was not renewed. list contains all of them.
func (g *Gateway) Choose(out []Outcome, now time.Time, n Node, t *members.Table, list []*members.Entry) []Outcome {
	for _, m := range list {
		var c Contact
		p, linked := g.Peer(m.ID), false
		if p != nil {
			c, linked = n.Contact(now, p), p.linked
		}
		switch {
		case millis(now) > m.Incarnation+uint64(orphan.Milliseconds()) && !linked:
			out = g.declareDead(out, now, t, m, m.Incarnation)
		case !g.cfg.Admits || c.Subscribing || n.Avoids(now, m.ID):
		case !IsGate(t, m):
		case p == nil || now.Sub(c.Heard) < Silence:
			out = append(out, Outcome{Kind: Choose, ID: m.ID})
		case !n.Dialing(m.ID): // the existing session is of no use
			out = append(out, Outcome{Kind: Avoid, ID: m.ID}, Outcome{Kind: Dial, ID: m.ID, Addr: m.Addr})
		}
	}
	return out
}

// IsGate reports whether this node is one of the few that subscribe to a gwyh 0.1 member (PROTOCOL.md L9).
func IsGate(t *members.Table, m *members.Entry) bool {
	self := t.Self()
	before, own := 0, gateKey(m.ID, self.ID)
	for o := range t.Each {
		if o.Legacy() || o == self || gateKey(m.ID, o.ID) >= own {
			continue
		}
		if before++; before >= Gates {
			return false
		}
	}
	return true
}

func gateKey(of, node wire.NodeID) uint64 {
	return members.Mix(members.Hash(node) ^ members.Mix(members.Hash(of)))
}
