package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
)

// keyChange is how long a change of keys takes at most: sessions are renewed spread over it, so that a
// cluster does not shake hands all at once, and those of a removed key end with it.
const keyChange = 10 * time.Second

// SetKeys changes the pre-shared keys, the primary first. Sessions that another key than the primary
// vouched for are renewed, make before break; those of a key that is gone end when that is done, or
// after keyChange.
func (c *Core) SetKeys(now time.Time, keys []handshake.Key) {
	c.hs.SetKeys(keys)
	c.hs.keyIDs = c.hs.keyIDs[:0]
	for _, k := range keys[:min(len(keys), handshake.MaxKeys)] {
		c.hs.keyIDs = append(c.hs.keyIDs, k.ID())
	}
	for _, p := range c.hs.sortedPeers() {
		if s := p.set.Current(now); s != nil && !p.legacy && (len(c.hs.keyIDs) == 0 || s.Fingerprint() != c.hs.keyIDs[0]) {
			p.set.RenewBy(now, now.Add(time.Duration(c.rng.Int64N(int64(keyChange/2)))))
			c.hs.wake(p)
		}
	}
	c.timers.Set(&c.hs.keyTimer, now.Add(keyChange))
}

// endOldKeys closes the sessions that a key vouched for which is no longer accepted.
func (h *handshakes) endOldKeys(now time.Time) {
	c := h.core
	for _, p := range h.sortedPeers() {
		for i := p.set.Len() - 1; i >= 0; i-- {
			if s := p.set.At(i); !slices.Contains(h.keyIDs, s.Fingerprint()) {
				p.set.Remove(now, s)
				h.forget(p, s)
			}
		}
		c.timers.Advance(&p.timer, now)
	}
}

// sortedPeers is all peers in the order of their ids, for what must not depend on the order of a map.
func (h *handshakes) sortedPeers() []*peer {
	c := h.core
	all := make([]*peer, 0, len(c.peers))
	for _, p := range c.peers {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *peer) int { return slices.Compare(a.id[:], b.id[:]) })
	return all
}
