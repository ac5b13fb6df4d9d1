package session

import "github.com/gwyh-go/gwyh/internal/memory"

// Bound returns the maximum memory of one session in bytes, without its sent log.
func Bound() int { return int(memory.Of[Session]()) + 8*windowWords + maxGaps*int(memory.Of[gap]()) }
