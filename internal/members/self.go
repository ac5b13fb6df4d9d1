package members

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Self returns this node's own entry. It is a tombstone after Leave.
func (t *Table) Self() *Entry { return t.self }

// renewStep bounds the random step of a renewed incarnation, in milliseconds. An entry that another node made up ahead of time
// seldom has the incarnation that this node takes next.
const renewStep = 1 << 10

// Renew gives this node a higher incarnation than its own and than above, which the cluster may know. It is at most about a second
// higher than need be.
func (t *Table) Renew(now time.Time, above uint64) {
	next := max(t.self.Incarnation+1, above+1, uint64(now.UnixMilli()))
	t.SetIncarnation(t.self, next+t.cfg.Rand.Uint64N(renewStep))
}

// Refute gives this node an incarnation that ends all suspicions of its incarnations up to above, and of its own
// before. Other nodes take it as proof that this node knows what it is accused of, so nothing else may set
// Refuted.
func (t *Table) Refute(now time.Time, above uint64) {
	t.self.Refuted = max(t.self.Incarnation, above)
	t.Renew(now, above)
}

// Return makes this node a member again after Leave. The caller then calls Refute.
func (t *Table) Return(now time.Time) {
	t.self.State, t.self.Named = wire.StateAlive, max(t.self.Named+1, uint64(now.UnixMilli()))
	t.Add(t.self)
}

// SetMeta changes this node's metadata, of which it keeps a copy, unless its entry is then longer than room bytes.
// changed reports whether the metadata differs from before. The caller then calls Renew.
func (t *Table) SetMeta(meta []byte, room int) (changed bool, err error) {
	before := t.self.Meta
	t.setMeta(t.self, bytes.Clone(meta))
	if err := t.Fits(room); err != nil {
		t.setMeta(t.self, before)
		return false, err
	}
	return !bytes.Equal(before, meta), nil
}

// Fits returns an error if this node's own entry is longer than room bytes, so that no node could pass it on.
func (t *Table) Fits(room int) error {
	var e wire.Member
	if size := t.self.Fill(&e).Size(); size > room {
		return fmt.Errorf("name, zone and metadata make an entry of %d bytes, of which %d fit into a datagram", size, room)
	}
	return nil
}
