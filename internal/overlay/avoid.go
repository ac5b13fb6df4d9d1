package overlay

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and limits of avoidance (docs/PROTOCOL.md G3).
const (
	avoidBase   = 5 * time.Second // pause after a refusal, doubled with each further one
	avoidMax    = 5 * time.Minute
	refusalsMax = 8 // maximum number of consecutive refusals that are counted
)

// avoidance excludes a member from the choice.
type avoidance struct {
	refusals uint8 // consecutive subscriptions that were refused or not answered
	until    time.Time
}

// avoided holds the live members excluded from the choice because they refused a subscription or did not answer.
type avoided map[wire.NodeID]avoidance

// add excludes a member from the next choices, for longer each time. It returns the approximate duration.
func (a avoided) add(now time.Time, id wire.NodeID, rng *rand.Rand) (pause time.Duration) {
	last := a[id]
	pause = min(avoidBase<<last.refusals, avoidMax)
	until := now.Add(pause/2 + time.Duration(rng.Int64N(int64(pause))))
	a[id] = avoidance{refusals: min(last.refusals+1, refusalsMax), until: until}
	return pause
}

// has reports whether a member is currently excluded from the choice.
func (a avoided) has(now time.Time, id wire.NodeID) bool { return a[id].until.After(now) }
