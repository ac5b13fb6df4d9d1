package swim

import (
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bound returns the maximum memory of a Detector in bytes, without its peers, if there are at most members members.
func Bound(members int) int {
	id := memory.Of[wire.NodeID]()
	const accusers = 8 * 16 // ids; there are as many confirmations as subscriptions at most
	suspicions := members*(int(memory.Of[suspicion]())+accusers) + memory.Map(members, id, 8) + memory.List(members, 32)
	requests := RequestedMax * (int(memory.Of[indirectProbe]()) + memory.List(requestersMax, memory.Of[requester]()))
	return suspicions + requests + memory.List(members, id) + memory.LRU(accusedMax, id, memory.Of[quota.Bucket]())
}
