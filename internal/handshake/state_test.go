package handshake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// state returns, as text, all state of an Endpoint that a packet could change, except counters and the budget.
func state(e *Endpoint) string {
	var b strings.Builder
	fmt.Fprintln(&b, "next", e.NextTimeout(), "clock", e.clock.last)
	attempts := make([]*attempt, 0, len(e.attempts))
	for _, a := range e.attempts {
		attempts = append(attempts, a)
	}
	slices.SortFunc(attempts, func(x, y *attempt) int { return cmp.Compare(x.id, y.id) })
	for _, a := range attempts {
		fmt.Fprintln(&b, "attempt", a.id, a.to, a.peer, a.sends, a.answered != nil, a.heard, a.timer.At())
		for _, p := range a.hellos {
			fmt.Fprintf(&b, "hello %v %v %v %x\n", p.m, p.sends, p.okBosses, p.identity)
		}
	}
	fmt.Fprintln(&b, "pending", len(e.pending))
	for _, p := range []*pool{&e.half.bound, &e.half.legacy} {
		for at := p.ages.Front(); at != nil; at = at.Next() {
			x := at.Value.(*halfOpen)
			fmt.Fprintf(&b, "half %v %v %v %x %v\n", x.key, x.m, x.path, x.identity, x.timer.At())
		}
		fmt.Fprintln(&b, "pool", p.ages.Len(), len(p.byPlace), len(p.bySource))
	}
	for _, l := range []*ledger{&e.goIDs, &e.legacyIDs} {
		for at := l.quiet.Front(); at != nil; at = at.Next() {
			fmt.Fprintln(&b, "account", *at.Value.(*account))
		}
	}
	return b.String()
}
