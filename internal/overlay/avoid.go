package overlay

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and bounds of avoidance (docs/PROTOCOL.md, "Links").
const (
	avoidBase   = 5 * time.Second // a member that refused is not asked again for so long, doubled each time
	avoidMax    = 5 * time.Minute
	refusalsMax = 8 // refusals in a row that are counted
)

// avoidance keeps a member out of the choice.
type avoidance struct {
	refusals uint8 // subscriptions refused or not answered in a row
	until    time.Time
}

// avoided is the live members that are kept out of the choice because they refused a subscription or did not answer.
type avoided map[wire.NodeID]avoidance

// add keeps a member out of the next choices, longer each time. It returns for about how long.
func (a avoided) add(now time.Time, id wire.NodeID, rng *rand.Rand) (pause time.Duration) {
	last := a[id]
	pause = min(avoidBase<<last.refusals, avoidMax)
	until := now.Add(pause/2 + time.Duration(rng.Int64N(int64(pause))))
	a[id] = avoidance{refusals: min(last.refusals+1, refusalsMax), until: until}
	return pause
}

// has reports whether a member is kept out of the choice now.
func (a avoided) has(now time.Time, id wire.NodeID) bool { return a[id].until.After(now) }
