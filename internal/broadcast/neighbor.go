package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Neighbor is the other end of one link, as dissemination sees it. The core keeps it beside what else it knows of the
// peer, and passes a pointer to it. The zero value is a neighbor without a link. The core writes the exported fields.
type Neighbor struct {
	ID     wire.NodeID
	RTT    time.Duration // round trip, or a guess before one was measured; above zero while linked
	Missed uint64        // packets of n that this node asked for again, since the link came up
	Source seen.Source   // of messages, whether n is linked or not

	linked bool
	slot   int // its place in origin.paths
	load   load
	copies uint64 // full copies of small messages that came from it

	// What is to be sent to it: see steer.go and digest.go.
	steer   []*origin // origins for which it is asked to become lazy or eager
	steerAt time.Time
	soon    []*origin // origins of which it is sent a digest at soonAt
	soonAt  time.Time
	answers []wire.MessageID // large messages that it keeps for this node, although they are here
	told    time.Duration    // when it was last sent digests of all origins that had news

	// What it has announced: see missing.go.
	expected  int           // messages that it has announced first, and that have not come
	open      int           // requests that it has not answered
	requested time.Time     // when it was last sent a request
	patience  time.Duration // how long it takes to answer a request, at least; zero until it was slow
	impatient time.Time     // when patience last grew because no answer came
	want      wire.Want     // requests being written

	spoke      int // counters that its digests spoke of since spokeSince
	spokeSince time.Time
	stops      int // messages that it was asked to stop since stopsSince
	stopsSince time.Time
	stopped    wire.MessageID // the last of them
	stoppedAt  time.Time

	credit  int    // pieces that it may request
	granted uint64 // Disseminator.passed when credit was last raised
}

// Linked reports whether the link with n is up.
func (n *Neighbor) Linked() bool { return n.linked }

// Expected returns how many messages n has announced first, and that have not come.
func (n *Neighbor) Expected() int { return n.expected }

// The loss of a link is how many packets had to be asked for again. It starts as if a few had come before, so that a new
// link counts as nearly lossless and a single loss does not say much.
const (
	lossAssumed = 0.003
	lossWeight  = 33
)

// loss returns the part of what n sends that does not come.
func (n *Neighbor) loss() float64 {
	missed := float64(n.Missed)
	return (missed + lossAssumed*lossWeight) / (missed + float64(n.copies) + lossWeight)
}

// half returns what the link with n adds to the delay of a message: half of the round trip, and at least one unit, so that
// delays grow with every hop.
func (n *Neighbor) half() wire.Delay { return max(1, wire.DelayOf(n.RTT/2)) }
