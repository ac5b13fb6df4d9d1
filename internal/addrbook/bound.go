package addrbook

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/memory"
)

// Bound returns the maximum memory of a Book in bytes if there are at most members members. Names of members are part of
// the member table, and names of calls have at most 255 bytes.
func Bound(members int) int {
	addr := memory.Of[netip.AddrPort]()
	return memory.Map(members, addr, memory.Of[member]()) + memory.Map(HintsMax, addr, memory.Of[string]()) + HintsMax*255
}
