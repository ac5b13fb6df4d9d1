package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Table is live members that many cores of one simulation know from the start. It is not written once
// it is made, so that ten thousand nodes that know each other need no hundred million rows: a core
// copies a row when it has something of its own to say about it.
type Table struct {
	rows   []member
	byID   map[wire.NodeID]int32
	byName map[string]int32
	root   uint64
}

// NewTable makes a table of members that are alive, no two with the same id or name.
func NewTable(now time.Time, live []Member) *Table {
	t := &Table{rows: make([]member, len(live)), byID: make(map[wire.NodeID]int32, len(live)), byName: make(map[string]int32, len(live))}
	for i, m := range live {
		t.rows[i] = member{Member: m, since: now}
		t.byID[m.ID], t.byName[m.Name] = int32(i), int32(i)
		t.root ^= t.rows[i].digest()
	}
	return t
}

// each yields the rows that are not hidden.
func (t *Table) each(hidden map[int32]struct{}, yield func(*member) bool) {
	for i := range t.rows {
		if _, ok := hidden[int32(i)]; !ok && !yield(&t.rows[i]) {
			return
		}
	}
}

// own makes row i of the base one of this core's own; nil when it was that already, and is no longer
// what it is asked for.
func (t *members) own(i int32) *member {
	if _, hidden := t.hidden[i]; hidden {
		return nil
	}
	t.hidden[i] = struct{}{}
	m := new(member)
	*m = t.base.rows[i]
	m.place = int32(len(t.live))
	t.live = append(t.live, m)
	t.byID[m.ID], t.byName[m.Name] = m, m
	return m
}
