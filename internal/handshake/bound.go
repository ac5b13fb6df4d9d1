package handshake

import (
	"container/list"
	"time"

	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bound returns the maximum memory in bytes of the handshakes of other nodes, of their timestamps, and of the budgets.
func Bound() int {
	open := (boundMax + legacyMax) * (int(memory.Of[halfOpen]()+memory.Of[list.Element]()) + helloMax + 512) // a sealed identity, and what else one keeps
	open += 3 * memory.Map(boundMax+legacyMax, memory.Of[halfKey](), 8)
	ids := ledgerGo + ledgerLegacy
	accounts := ids*int(memory.Of[account]()+memory.Of[list.Element]()) + memory.Map(ids, memory.Of[wire.NodeID](), 8)
	stamps := memory.List(min(limits[accepts].all*int(ledgerLife/time.Second), ids*ledgerStamps), memory.Of[stamp]())
	sources := 0
	for _, l := range limits {
		sources += 2 * l.all * min(l.source, 1) // a /64 and its /48, if sources have a limit
	}
	return open + accounts + stamps + memory.Map(sources, memory.Of[payer](), 8)
}
