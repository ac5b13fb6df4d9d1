package swim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
)

// health is the local health multiplier of Lifeguard (arXiv 1707.00788). A node that is short of CPU or loses packets
// does not hear other nodes and would declare all of them dead. Therefore a node with a high score waits longer before
// each decision (PROTOCOL.md V6).
type health struct {
	score   int // 0 if the node is well
	max     int
	accused quota.Bucket // accusations of this node that raised the score
}

// note adds delta to the score. A positive delta stands for a sign of ill health, a negative one for good health.
func (h *health) note(delta int) { h.score = min(max(h.score+delta, 0), h.max) }

// noteAccused raises the score because this node was accused. Other nodes pass no more accusations on than may raise it,
// so a member that accuses this node all the time does not make it slow (PROTOCOL.md V6).
func (h *health) noteAccused(now time.Time, probeInterval time.Duration) {
	if h.accused.Take(now, suspicionRate(probeInterval)) {
		h.note(1)
	}
}

// stretch returns the timeout d multiplied by score + 1.
func (h *health) stretch(d time.Duration) time.Duration { return d * time.Duration(h.score+1) }
