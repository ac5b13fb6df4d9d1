package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Verdict tells the caller what to do with an entry about a gwyh 0.1 node.
type Verdict uint8

const (
	Done     Verdict = iota // nothing more
	Outdated                // send the sender the entry that this node has
	Gone                    // the node is dead
	Alive                   // the node is a member, unless other rules refuse it
)

// Weigh decides about an entry of the Go node from about a gwyh 0.1 node. compared says whether the entry came in a
// comparison of tables.
func (g *Gateway) Weigh(out []Outcome, now time.Time, n Node, t *members.Table, e *wire.Member, from wire.NodeID, compared bool) ([]Outcome, Verdict) {
	m := t.Get(e.ID)
	switch {
	case members.TooFarAhead(now, e.Incarnation), e.State == wire.StateLeft:
		g.Stats.Unexpected++
	case e.State == wire.StateSuspect:
		out = g.handleQuestion(out, now, n, t, m, e, from)
	case m != nil && !m.SupersededBy(e):
		g.Stats.Stale++
		if compared && m.IsAheadOf(e) {
			return out, Outdated
		}
	case e.State == wire.StateDead:
		return g.weighDeath(out, now, n, t, m, e)
	case !wellFormed(e), !live(m) && t.CountLegacy() >= MembersMax:
		g.Stats.Excess++
	default:
		return out, Alive
	}
	return out, Done
}

// wellFormed reports whether an entry has the form that all Go nodes derive. gwyh 0.1 nodes have no metadata, and cannot
// prove departures.
func wellFormed(e *wire.Member) bool {
	return string(e.Name) == Name(e.Addr) && len(e.Meta) == 0 && e.Proof == wire.Proof{}
}

// weighDeath decides about a Go node's entry that declares a gwyh 0.1 node dead. A node that has heard it since then
// refutes it. A node that has a session with it pings it first.
func (g *Gateway) weighDeath(out []Outcome, now time.Time, n Node, t *members.Table, m *members.Entry, e *wire.Member) ([]Outcome, Verdict) {
	p := g.Peer(e.ID)
	if p == nil || !live(m) {
		return out, Gone
	}
	c := n.Contact(now, p)
	switch {
	case !c.Session:
		return out, Gone
	case millis(c.Opened) > e.Incarnation:
		return g.vouch(out, now, t, m, e.Incarnation), Done
	}
	return g.checkDown(out, now, t, p, claim{incarnation: e.Incarnation}), Done
}
