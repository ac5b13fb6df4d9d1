package node

import (
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// SnapshotBound returns the maximum memory in bytes of what readers see of at most members members, while one snapshot
// replaces another one. member is what one N takes.
func SnapshotBound[N any](members, member int) int {
	id := memory.Of[wire.NodeID]()
	return members*member + 2*memory.Map(members, id, memory.Of[entry[N]]()) + 2*members*int(memory.Of[N]())
}
