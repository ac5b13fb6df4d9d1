package node

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// SnapshotBound returns the maximum memory in bytes of what readers see of at most members members, while one snapshot
// replaces another one. member is what one N takes.
func SnapshotBound[N any](members, member int) int {
	known := memory.Map(members, memory.Of[wire.NodeID](), memory.Of[*entry[N]]()) + memory.List(members, memory.Of[*entry[N]]())
	return members*(member+int(memory.Of[entry[N]]()+memory.Of[netip.AddrPort]())) + known + 2*(members+pageSize)*int(memory.Of[N]())
}
