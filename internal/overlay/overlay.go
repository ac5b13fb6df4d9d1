// Package overlay decides with which peers a node exchanges broadcasts.
//
// A node subscribes to a few members, and accepts a bounded number of subscribers. Either makes a link, which carries
// broadcasts in both directions. The package owns the choice of members and the strategies for it, the states of the
// subscriptions, the members to avoid because they refused or did not answer, the distances by which Nearest chooses,
// and the plans to find members again after a partition.
//
// It never sends anything and sets no timer. Each input appends [Action]s to a buffer of the caller, which executes them
// in order. The deadlines are values that the caller reads after each input. The member table is read, except for the
// round-trip times of its entries.
//
// Read peer.go and subscribe.go first: they are the life of a subscription. choice.go says when and what is chosen,
// strategy.go and nearest.go by which order. heal.go is independent of the rest.
package overlay

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/selection"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config is what an Overlay does not change.
type Config struct {
	Zone          wire.Zone
	Strategy      Strategy
	Subscriptions int  // members to subscribe to
	AskSelection  bool // the application selects the members that may be chosen
}

// Contacts answers questions about other parts of the node. The Overlay asks only during the input that it is an
// argument of.
type Contacts interface {
	// OverlayPeer is the Overlay's state of the peer with the given id; nil if there is no session with it.
	OverlayPeer(id wire.NodeID) *Peer
	// Reachable reports whether there is a session with the peer under which something can be sent now.
	Reachable(now time.Time, id wire.NodeID) bool
	// Dialing reports whether a handshake with the member is under way.
	Dialing(id wire.NodeID) bool
}

// An Overlay is the subscriptions and the links of one node. Not for concurrent use.
type Overlay struct {
	cfg     Config
	rng     *rand.Rand
	members *members.Table
	self    wire.NodeID
	out     []Action // of the input in progress

	links   []*Peer // in the order in which they began
	started int     // Go nodes that confirmed our subscription
	serving int     // Go nodes that are subscribed to us

	choice    []wire.NodeID // members to subscribe to, in order of preference
	before    []wire.NodeID // the previous choice, during Rechoose
	choiceAt  time.Time     // when Rechoose is due; zero for never
	pending   time.Time     // when the members first changed since the last choice; zero for never
	wholeAt   time.Time     // when the choice was last made anew, and not only filled up
	changed   time.Time     // when the members last changed
	version   uint64        // counts the changes of the members
	selection selection.Selection
	avoided   map[wire.NodeID]avoidance // live members that refused, or did not answer

	zones     map[wire.Zone]time.Duration // distances of zones with a measured member, as of the last choice
	distances uint64                      // counts the changes of round-trip times
	measureAt time.Time                   // when Measure is due; zero for never
}

// New makes an Overlay without links, of the node that the table is of.
func New(now time.Time, cfg Config, table *members.Table, rng *rand.Rand) *Overlay {
	o := &Overlay{cfg: cfg, rng: rng, members: table, self: table.Self().ID, avoided: make(map[wire.NodeID]avoidance)}
	o.selection.Used = cfg.AskSelection
	if cfg.Strategy == Nearest {
		o.measureAt = now.Add(measureInterval)
	}
	return o
}

// Started is the number of Go nodes that confirmed our subscription: this node hears from them.
func (o *Overlay) Started() int { return o.started }

// Serving is the number of Go nodes that are subscribed to this node.
func (o *Overlay) Serving() int { return o.serving }

// Choice is the members to subscribe to, in order of preference. It is valid until the next input.
func (o *Overlay) Choice() []wire.NodeID { return o.choice }

// HasLink reports whether there is a link with a Go node.
func (o *Overlay) HasLink() bool {
	return slices.ContainsFunc(o.links, func(p *Peer) bool { return !p.legacy })
}

// ChoiceAt is when Rechoose is due; zero for never.
func (o *Overlay) ChoiceAt() time.Time { return o.choiceAt }

// MeasureAt is when Measure is due; zero for never.
func (o *Overlay) MeasureAt() time.Time { return o.measureAt }

// Distances counts the changes of members' round-trip times.
func (o *Overlay) Distances() uint64 { return o.distances }

// departed reports whether this node has left, and so chooses nobody.
func (o *Overlay) departed() bool { return !o.members.Self().Live() }
