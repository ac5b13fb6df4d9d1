package members

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Self returns this node's own entry. It is a tombstone after Leave.
func (t *Table) Self() *Entry { return t.self }

// renewStep limits the random step of a renewed incarnation, in milliseconds. The step makes it unlikely that an entry
// forged in advance has this node's next incarnation.
const renewStep = 1 << 10

// Renew gives this node an incarnation higher than its own and than above, which other nodes may know. It exceeds the
// lowest possible one by at most about a second.
func (t *Table) Renew(now time.Time, above uint64) {
	next := max(t.self.Incarnation+1, above+1, uint64(now.UnixMilli()))
	t.SetIncarnation(t.self, next+t.cfg.Rand.Uint64N(renewStep))
}

// Refute gives this node an incarnation that ends all suspicions of its incarnations up to above and up to its own.
// Other nodes take Refuted as proof that this node knows the accusations, so only Refute may set it (PROTOCOL.md M5).
func (t *Table) Refute(now time.Time, above uint64) {
	t.self.Refuted = max(t.self.Incarnation, above)
	t.Renew(now, above)
}

// Return makes this node a member again after Leave. The caller then calls Refute.
func (t *Table) Return(now time.Time) {
	t.setState(t.self, wire.StateAlive)
	t.self.Named = max(t.self.Named+1, uint64(now.UnixMilli()))
	t.Add(t.self)
}

// SetMeta replaces this node's metadata by a copy of meta. It returns an error if the entry would be longer than room
// bytes. changed reports whether the metadata differs from before. The caller then calls Renew.
func (t *Table) SetMeta(meta []byte, room int) (changed bool, err error) {
	before := t.self.Meta
	t.set(t.self, bytes.Clone(meta), t.self.Proof)
	if err := t.Fits(room); err != nil {
		t.set(t.self, before, t.self.Proof)
		return false, err
	}
	return !bytes.Equal(before, meta), nil
}

// Fits returns an error if this node's own entry is longer than room bytes, because no node could forward it.
func (t *Table) Fits(room int) error {
	var e wire.Member
	if size := t.self.Fill(&e).Size(); size > room {
		return fmt.Errorf("name, zone and metadata make an entry of %d bytes, of which %d fit into a datagram", size, room)
	}
	return nil
}
