package handshake

import (
	"container/list"
	"time"

	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bound returns the maximum memory in bytes of the handshakes that other nodes cause, of their timestamps, and of the
// budgets.
func Bound() int {
	const packet = helloMax // a sealed identity, or what else a handshake keeps
	open := (boundMax + legacyMax) * (int(memory.Of[halfOpen]()+memory.Of[list.Element]()) + packet + 512)
	keys := 3 * memory.Map(boundMax+legacyMax, memory.Of[halfKey](), 8)
	ids := ledgerGo + ledgerLegacy
	accounts := ids*int(memory.Of[account]()+memory.Of[list.Element]()) + memory.Map(ids, memory.Of[wire.NodeID](), 8)
	accepted := limits[accepts].all * int(ledgerLife/time.Second)
	stamps := memory.List(min(accepted, ids*ledgerStamps), memory.Of[stamp]())
	sources := 0
	for _, l := range limits {
		if l.source > 0 {
			sources += 2 * l.all // a /64 and its /48
		}
	}
	return open + keys + accounts + stamps + memory.Map(sources, memory.Of[payer](), 8)
}
