package members

import (
	"errors"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// BringRate limits the new members that one Source may bring, and also its changes of members. The members of a typical
// cluster fit into one burst.
var BringRate = quota.Rate{Burst: 16_384, Every: time.Second / 256}

// A Source is a peer that brings entries of other nodes. The zero value may bring a full burst of BringRate.
type Source struct{ brought, changed quota.Bucket }

var errNoRoom = errors.New("the member table has no room")

// Bytes returns an upper bound of the memory of all entries, including tombstones.
func (t *Table) Bytes() int { return t.bytes }

// hasRoom reports whether an alive entry may be added or may replace m. A member may always become smaller.
func (t *Table) hasRoom(m *Entry, e *wire.Member) bool {
	more := len(e.Name) + len(e.Meta)
	if m != nil {
		more -= len(m.Name) + len(m.Meta)
	} else {
		more += EntryBytes
	}
	return more <= 0 || t.bytes+more <= t.cfg.Budget
}

// Ration reports whether a peer may bring an alive entry of another node. Entries of new members and of live ones have
// separate limits. Refusals are counted in Rationed.
func (t *Table) Ration(now time.Time, id wire.NodeID, by *Source) bool {
	b := &by.brought
	if t.IsLive(id) {
		b = &by.changed
	}
	if b.Take(now, BringRate) {
		return true
	}
	t.Rationed++
	return false
}
