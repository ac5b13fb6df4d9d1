package swim

import "time"

// health is the local health multiplier of Lifeguard (arXiv 1707.00788). A node that is short of CPU, or whose packets
// are lost, hears nothing of the others and would take them all for dead. Instead it takes more time for each decision,
// the worse its health is.
type health struct {
	score int // 0 if the node is well
	most  int
}

// note takes in what speaks for ill health, or for good health if delta is below 0.
func (h *health) note(delta int) { h.score = min(max(h.score+delta, 0), h.most) }

// stretch returns a timeout as this node should take it now.
func (h *health) stretch(d time.Duration) time.Duration { return d * time.Duration(h.score+1) }
