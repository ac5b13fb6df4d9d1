package members

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Remove makes m, whose State is dead or left, a tombstone. It reserves the name of a dead Go node unless a live
// member has it.
func (t *Table) Remove(now time.Time, m *Entry) {
	if m.Live() {
		t.unlist(m)
	}
	if m.mayReturn() && t.Named(m.Name) == nil {
		t.reserved[m.Name] = m
	} else {
		t.release(m)
	}
	t.index(m)
	m.since = now.Sub(t.epoch)
	m.ends++
	t.tombstones = append(t.tombstones, tombstone{m, m.ends})
	t.expire(now)
}

// mayReturn reports whether m is a dead Go node that had a name.
func (m *Entry) mayReturn() bool { return m.State == wire.StateDead && m.Name != "" && !m.Legacy() }

// release ends the reservation of a dead node's name.
func (t *Table) release(m *Entry) {
	if t.reserved[m.Name] == m {
		delete(t.reserved, m.Name)
	}
}

// expire removes the tombstones that are too old or too many (PROTOCOL.md M7), and outdated ones before they are the
// larger part.
func (t *Table) expire(now time.Time) {
	drop := 0
	for _, m := range t.tombstones {
		over := t.CountTombstones() > TombstonesMax || t.bytes > t.cfg.Budget-t.cfg.Budget/8 // leaves an eighth to live entries
		if m.current() && !over && now.Sub(t.Since(m.Entry)) < TombstoneAge {
			break
		}
		if m.current() {
			t.unindex(m.Entry)
			t.release(m.Entry)
		}
		drop++
	}
	clear(t.tombstones[:drop])
	t.tombstones = t.tombstones[drop:]
	if len(t.tombstones) > 2*t.CountTombstones()+outdatedMin {
		t.tombstones = slices.DeleteFunc(t.tombstones, func(m tombstone) bool { return !m.current() })
	}
}

// outdatedMin is the number of outdated tombstones below which they are not worth a walk.
const outdatedMin = 64

// CountTombstones returns the number of tombstones: dead or departed nodes.
func (t *Table) CountTombstones() int { return len(t.byID) - len(t.live) }

// MayHaveTombstones reports whether there may be a tombstone. It is never false if there is one.
func (t *Table) MayHaveTombstones() bool { return len(t.tombstones) > 0 }

// LastTombstones yields the newest limit tombstones that have a name, oldest first.
func (t *Table) LastTombstones(limit int) func(yield func(*Entry) bool) {
	named := func(m tombstone) bool { return m.current() && m.Name != "" }
	from := len(t.tombstones)
	for ; from > 0 && limit > 0; from-- {
		if named(t.tombstones[from-1]) {
			limit--
		}
	}
	return func(yield func(*Entry) bool) {
		for _, m := range t.tombstones[from:] {
			if named(m) && !yield(m.Entry) {
				return
			}
		}
	}
}

// Reserved returns the dead node that a name is reserved for, or nil if there is none.
func (t *Table) Reserved(name string) *Entry { return t.reserved[name] }

// CountReserved returns the number of dead nodes that a name is reserved for.
func (t *Table) CountReserved() int { return len(t.reserved) }

// eachReserved yields the dead nodes that a name is reserved for, in random order.
func (t *Table) eachReserved(yield func(*Entry) bool) {
	for _, m := range t.reserved {
		if !yield(m) {
			return
		}
	}
}

// DrawReserved returns a random dead node whose name no live member has, and the number of such nodes. It returns nil
// if there are none.
func (t *Table) DrawReserved(now time.Time, rng *rand.Rand) (drawn *Entry, count int) {
	t.expire(now)
	if count = len(t.reserved); count == 0 {
		return nil, 0
	}
	nth := rng.IntN(count)
	for _, m := range t.tombstones {
		if !m.current() || t.reserved[m.Name] != m.Entry {
			continue
		}
		if nth--; nth < 0 {
			return m.Entry, count
		}
	}
	return nil, 0
}
