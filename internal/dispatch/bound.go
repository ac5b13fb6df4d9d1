package dispatch

import (
	"github.com/gwyh-go/gwyh/internal/memory"
)

// Bound returns the maximum memory of a Queue in bytes, without the content of messages, if there are at most members
// members. The queue has at most two events of each.
func Bound[N any](members int) int {
	notices := memory.List(MessagesMax+callsMax+linesMax+2*members+takenMax, memory.Of[notice[N]]())
	return notices + memory.Map(members, memory.Of[string](), 8) + 2*memory.Map(deliveredMax, 8, 8)
}
