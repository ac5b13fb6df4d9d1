package legacy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
)

// declareDead declares a gwyh 0.1 member dead: to Go nodes at once, and to gwyh 0.1 nodes if no Go node has refuted it.
func (g *Gateway) declareDead(out []Outcome, now time.Time, t *members.Table, m *members.Entry, incarnation uint64) []Outcome {
	t.SetIncarnation(m, max(m.Incarnation, incarnation))
	g.schedule(now, revive, job{task: announceEnd, member: m})
	return append(out, Outcome{Kind: Dead, Member: m})
}

// vouch renews the incarnation of a gwyh 0.1 member that is heard (PROTOCOL.md L10).
func (g *Gateway) vouch(out []Outcome, now time.Time, t *members.Table, m *members.Entry, above uint64) []Outcome {
	t.SetIncarnation(m, max(millis(now), m.Incarnation+1, above+1))
	return append(out, Outcome{Kind: Renewed, Member: m})
}
