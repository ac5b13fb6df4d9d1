package swim

import "time"

// health is the local health multiplier of Lifeguard (arXiv 1707.00788). A node that is short of CPU or loses packets
// does not hear other nodes and would declare all of them dead. Therefore a node with a high score waits longer before
// each decision (PROTOCOL.md V6).
type health struct {
	score int // 0 if the node is well
	max   int
}

// note adds delta to the score. A positive delta stands for a sign of ill health, a negative one for good health.
func (h *health) note(delta int) { h.score = min(max(h.score+delta, 0), h.max) }

// stretch returns the timeout d multiplied by score + 1.
func (h *health) stretch(d time.Duration) time.Duration { return d * time.Duration(h.score+1) }
