package peers

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
)

// KeyChange is the maximum duration of a change of keys. Session renewals are spread over it, so that a cluster does not
// perform all handshakes at once, and the sessions of a removed key end with it.
const KeyChange = 10 * time.Second

// SetKeys replaces the pre-shared keys, the primary key first. Sessions authenticated with another key are renewed; the
// old session stays until the new one is ready. Sessions of a removed key end then, or after KeyChange
// (PROTOCOL.md S12).
func (t *Table) SetKeys(now time.Time, keys []handshake.Key) {
	t.Endpoint.SetKeys(keys)
	t.keyIDs = t.keyIDs[:0]
	for _, k := range keys[:min(len(keys), handshake.MaxKeys)] {
		t.keyIDs = append(t.keyIDs, k.ID())
	}
	for _, p := range t.Sorted() {
		s := p.Sessions.Current(now)
		if s == nil || p.Legacy {
			continue
		}
		if len(t.keyIDs) == 0 || s.Fingerprint() != t.keyIDs[0] {
			p.Sessions.RenewBy(now, now.Add(time.Duration(t.cfg.RNG.Int64N(int64(KeyChange/2)))))
			t.Wake(p)
		}
	}
	t.cfg.Timers.Set(&t.keyTimer, now.Add(KeyChange))
}

// endOldKeys closes the sessions that were authenticated with a key that is no longer accepted.
func (t *Table) endOldKeys(now time.Time) {
	for _, p := range t.Sorted() {
		for i := p.Sessions.Len() - 1; i >= 0; i-- {
			if s := p.Sessions.At(i); !slices.Contains(t.keyIDs, s.Fingerprint()) {
				p.Sessions.Remove(now, s)
				t.forget(p, s)
			}
		}
		t.cfg.Timers.Advance(p.timer, now)
	}
}

// Retire stops sealing packets under the existing sessions with Go nodes.
func (t *Table) Retire(now time.Time) {
	for _, p := range t.Sorted() {
		p.Sessions.Retire(now)
		t.Wake(p)
	}
}
