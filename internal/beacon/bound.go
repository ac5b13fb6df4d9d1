package beacon

import (
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bound returns the maximum memory of Beacons in bytes.
func Bound() int {
	zone := int(memory.Of[Zone]()) + wire.ZoneMax + memory.List(recentMax, 8)
	return (ZonesMax+1)*zone + memory.LRU(OriginsMax, memory.Of[wire.NodeID](), memory.Of[Origin]()) + OriginsMax*wire.ZoneMax
}
