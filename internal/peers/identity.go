package peers

import (
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// identityMeta is the maximum metadata of an identity in bytes. Longer metadata comes only with the alive entry.
const identityMeta = 512

// identityMax is the maximum size of an identity's plaintext in bytes. It fits through any path.
const identityMax = pmtu.Min - wire.BoxOverhead

// identity returns the first plaintext of a session, which identifies this node by its own entry (PROTOCOL.md P5).
func identity(ids *wire.IDs, self wire.Member) []byte {
	if len(self.Meta) > identityMeta {
		self.Meta = nil
	}
	plain := wire.AppendIdentity(nil, ids.Control(), &self)
	if len(plain) > identityMax {
		self.Meta = nil
		plain = wire.AppendIdentity(nil, ids.Control(), &self)
	}
	return plain
}
