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
	more := len(e.Name) + len(e.Meta) + proofBytes(proofIn(e))
	if m != nil {
		more -= len(m.Name) + len(m.Meta) + proofBytes(m.Proof)
	} else {
		more += EntryBytes
	}
	return more <= 0 || t.bytes+more <= t.cfg.Budget
}

// Ration reports whether a peer may bring an alive entry of another node. Entries of new members and of live ones have
// separate limits. New ones do not get the last eighth of the table. Refusals are counted in Rationed.
func (t *Table) Ration(now time.Time, id wire.NodeID, by *Source) bool {
	b, full := &by.brought, t.Crowded()
	if t.IsLive(id) {
		b, full = &by.changed, false
	}
	if !full && b.Take(now, BringRate) {
		return true
	}
	t.Rationed++
	return false
}

// Crowded reports whether the rest of the table is left to nodes that bring their own entry, which takes a session.
// Otherwise one member could fill the table with members that do not exist, and no node could join any more.
func (t *Table) Crowded() bool {
	return t.Count() >= Max-Max/8 || t.bytes >= t.cfg.Budget-t.cfg.Budget/8
}
