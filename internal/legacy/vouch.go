package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
)

// declareDead takes a gwyh 0.1 member for dead. Go nodes are told at once, and gwyh 0.1 nodes when no Go node has objected.
func (g *Gateway) declareDead(out []Outcome, now time.Time, t *members.Table, m *members.Entry, incarnation uint64) []Outcome {
	t.SetIncarnation(m, max(m.Incarnation, incarnation))
	g.later(now, revive, chore{task: announceEnd, member: m})
	return append(out, Outcome{Kind: Dead, Member: m})
}

// vouch renews the incarnation of a gwyh 0.1 member that is heard.
func (g *Gateway) vouch(out []Outcome, now time.Time, t *members.Table, m *members.Entry, above uint64) []Outcome {
	t.SetIncarnation(m, max(millis(now), m.Incarnation+1, above+1))
	return append(out, Outcome{Kind: Renewed, Member: m})
}
