package broadcast

import (
	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bound returns the maximum memory of a Disseminator with that many links in bytes, without the ids of messages that were
// seen and without the messages.
func Bound(links int) int {
	id := memory.Of[wire.MessageID]()
	awaited := MissingMax*int(memory.Of[missing]()) + memory.Map(MissingMax, id, 8) + memory.List(MissingMax, 8) +
		2*MissingMax*min(links, knownBy)*8
	large := assembly.StoreCount*(int(memory.Of[Large]())+2*8*(3*links+failedMax)) + 2*memory.Map(assembly.StoreCount, id, 8)
	toLinks := links * (int(memory.Of[Neighbor]()) + 2*memory.List(originsMax, 8) + memory.List(keptMax, id))
	return originsBytes + awaited + arena.IndexBound() + large + toLinks
}
