package addrbook

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/memory"
)

// Bound returns the maximum memory of a Book in bytes if there are at most members members, while one map replaces another
// one. Names of members are part of the member table, and names of calls have at most 255 bytes.
func Bound(members int) int {
	entry := func(n int) int { return memory.Map(n, memory.Of[netip.AddrPort](), memory.Of[string]()) }
	return 2*entry(members) + entry(HintsMax) + HintsMax*255
}
