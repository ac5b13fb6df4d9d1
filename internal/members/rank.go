package members

import "github.com/gwyh-go/gwyh/internal/wire"

// unranked is the rank of all nodes before the first RankBy.
func unranked(wire.NodeID) float64 { return 0 }

// RankBy sets the function that gives each node a rank, which must depend on the id only. The table calls it once for each
// member, because the members are searched for the lowest ranks again and again.
func (t *Table) RankBy(rank func(wire.NodeID) float64) {
	t.rank = rank
	for _, m := range t.live {
		m.rank = rank(m.ID)
	}
}

// Rank returns the rank of a live member.
func (t *Table) Rank(m *Entry) float64 {
	if m.rank == 0 {
		return t.rank(m.ID)
	}
	return m.rank
}
