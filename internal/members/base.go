package members

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Base is a set of live members that many tables of one simulation share from the start. It is immutable, and a
// table copies a row before it changes it. So large simulations do not need an entry for each pair of nodes.
type Base struct {
	epoch  time.Time // of the tables that share the Base
	rows   []Entry
	byID   map[wire.NodeID]int32
	byName map[string]int32
	root   sum
}

// NewBase returns a Base of alive members. No two of them may have the same id or name.
func NewBase(now time.Time, live []Member) *Base {
	b := &Base{epoch: now, rows: make([]Entry, len(live)), byID: make(map[wire.NodeID]int32, len(live)), byName: make(map[string]int32, len(live))}
	var s sealer
	for i, m := range live {
		m.Named = m.Incarnation // as in every node that has just started
		b.rows[i] = Entry{Member: m}
		b.rows[i].digest = s.digest(&b.rows[i])
		b.byID[m.ID], b.byName[m.Name] = int32(i), int32(i)
		n := number(&b.rows[i].digest)
		b.root.add(&n)
	}
	return b
}

// each yields the rows that are not hidden.
func (b *Base) each(hidden map[int32]struct{}, yield func(*Entry) bool) {
	for i := range b.rows {
		if _, ok := hidden[int32(i)]; !ok && !yield(&b.rows[i]) {
			return
		}
	}
}
