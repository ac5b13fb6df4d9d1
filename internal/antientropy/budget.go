package antientropy

import (
	"time"
)

// Bounds of what other nodes may cause.
const (
	window     = 100 * time.Millisecond
	parts      = 32   // parts that one peer is answered per window
	AnswersMax = 64   // messages of entries sent at once in answer to one message,
	answersFew = 4    // if the node has sent many in this window
	sentMany   = 256  // which are so many,
	sentMax    = 4096 // and then none
)

// A budget is the messages of entries that this node has sent to all peers that asked. It bounds what many peers
// that ask at once cost: each gets a few members, and asks those.
type budget struct {
	since time.Time
	sent  int
}

// most is how many messages of entries one message may cause now.
func (b *budget) most(now time.Time) int {
	if now.Sub(b.since) >= window {
		*b = budget{since: now}
	}
	switch {
	case b.sent < sentMany:
		return AnswersMax
	case b.sent < sentMax:
		return answersFew
	}
	return 0
}
