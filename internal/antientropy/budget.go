package antientropy

import (
	"time"
)

// Limits for what other nodes may cause.
const (
	window     = 100 * time.Millisecond
	parts      = 32   // parts answered per peer and window
	AnswersMax = 64   // messages of entries sent at once in answer to one message
	answersFew = 4    // the same after sentMany messages of entries in this window
	entryMin   = 60   // bytes of a short entry: no more members are considered than fit into the messages,
	drawnMin   = 512  // or than this, because a few messages begin at a random one of them
	sentMany   = 256  // see answersFew
	sentMax    = 4096 // messages per window after which no more are sent
)

// A budget counts the messages of entries that this node has sent to all peers that requested entries. It limits the
// cost of many requests at once: each peer gets a few members, and then asks those (PROTOCOL.md Y5).
type budget struct {
	since time.Time
	sent  int
}

// limit returns how many messages of entries one message may cause now.
func (b *budget) limit(now time.Time) int {
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
