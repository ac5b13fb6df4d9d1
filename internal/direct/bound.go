package direct

import (
	"net/netip"

	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bound returns the maximum memory of a Sender and a Receiver in bytes, without the large messages, which are in the Store.
func Bound() int {
	messages := (WaitingMax+AwaitedMax)*int(memory.Of[Message]()) + memory.Map(AwaitedMax, memory.Of[wire.MessageID](), 8)
	return WaitingBytes + SmallBytes + messages + memory.LRU(routesMax, memory.Of[netip.AddrPort](), 8) + seen.SinglesBound
}
