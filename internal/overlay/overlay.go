// Package overlay decides with which peers a node exchanges broadcasts.
//
// A node subscribes to a few members, and accepts a bounded number of subscribers. Either subscription makes a link,
// which carries broadcasts in both directions. The package owns the choice of members and its strategies, the states
// of the subscriptions, the members to avoid because they refused or did not answer, the distances that Nearest uses,
// and the schedule for finding members again after a partition.
//
// It never sends a message. Each input appends [Action]s to a buffer of the caller, which executes them in order. The
// caller reads deadlines after each input. In the member table, the package changes only round-trip times.
//
// Reading order: overlay.go, peer.go, subscribe.go, choice.go, strategy.go, nearest.go, source.go, crowd.go. avoid.go and
// heal.go are independent.
package overlay

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/selection"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times of the choice (docs/PROTOCOL.md, "Links").
const (
	choiceSoon     = 20 * time.Millisecond // until the next choice while subscriptions are missing
	choiceCalm     = time.Second           // time without changes of the members before an existing choice is improved
	choiceLatest   = 5 * time.Second       // maximum time from the first change until then
	choiceInterval = time.Minute           // between choices if nothing changes
)

// Config is the configuration of an Overlay.
type Config struct {
	Secret        Secret // drawn at each start; no other node may know it
	Zone          wire.Zone
	Strategy      Strategy
	Subscriptions int  // members to subscribe to
	AskSelection  bool // the application selects the members that may be chosen
}

// Contacts answers queries about other parts of the node. The Overlay calls it only during the input that received it.
type Contacts interface {
	// OverlayPeer returns the Overlay's state of the peer with the given id, or nil if there is no session with it.
	OverlayPeer(id wire.NodeID) *Peer
	// Reachable reports whether there is a session with the peer in which messages can be sent now.
	Reachable(now time.Time, id wire.NodeID) bool
	// Dialing reports whether a handshake with the member is in progress.
	Dialing(id wire.NodeID) bool
	// Remote returns the address from which the packets of the peer with the given id come. It is invalid if there is no
	// session with that peer.
	Remote(id wire.NodeID) netip.AddrPort
}

// An Overlay holds the subscriptions and the links of one node. It is not safe for concurrent use.
type Overlay struct {
	cfg     Config
	rng     *rand.Rand
	members *members.Table
	self    wire.NodeID
	out     []Action // actions of the input in progress

	links   []*Peer // in the order in which they began
	started int     // number of Go nodes that confirmed our subscription
	serving int     // number of Go nodes that are subscribed to us

	choice    []wire.NodeID // members to subscribe to, in order of preference
	before    []wire.NodeID // the previous choice, during Rechoose
	choiceAt  time.Time     // when Rechoose is due; zero for never
	pending   time.Time     // when the members first changed since the last choice; zero for never
	wholeAt   time.Time     // when the whole choice was last made
	changed   time.Time     // when the members last changed
	version   uint64        // counts the changes of the members
	selection selection.Selection
	kept      []wire.NodeID // members that stay chosen
	crowd     source        // of most members; zero if there is none
	began     time.Time     // when the node started
	avoided   avoided

	distances distances
	changes   uint64    // number of changes of round-trip times
	measureAt time.Time // when Measure is due; zero for never
}

// New returns an Overlay without links for the node that owns table.
func New(now time.Time, cfg Config, table *members.Table, rng *rand.Rand) *Overlay {
	o := &Overlay{cfg: cfg, rng: rng, members: table, self: table.Self().ID, began: now, avoided: make(avoided)}
	o.distances.own = cfg.Zone
	table.RankBy(o.cfg.Secret.rank)
	o.selection.Used = cfg.AskSelection
	if cfg.Strategy == Nearest {
		o.measureAt = now.Add(measureInterval)
	}
	return o
}

// Started returns the number of Go nodes that confirmed our subscription.
func (o *Overlay) Started() int { return o.started }

// Serving returns the number of Go nodes that are subscribed to this node.
func (o *Overlay) Serving() int { return o.serving }

// Choice returns the members to subscribe to, in order of preference. The slice is valid until the next input.
func (o *Overlay) Choice() []wire.NodeID { return o.choice }

// HasLink reports whether there is a link with a Go node.
func (o *Overlay) HasLink() bool {
	return slices.ContainsFunc(o.links, func(p *Peer) bool { return !p.legacy })
}

// ChoiceAt returns when Rechoose is due, or zero for never.
func (o *Overlay) ChoiceAt() time.Time { return o.choiceAt }

// MeasureAt returns when Measure is due, or zero for never.
func (o *Overlay) MeasureAt() time.Time { return o.measureAt }

// Distances returns the number of changes of members' round-trip times.
func (o *Overlay) Distances() uint64 { return o.changes }

// departed reports whether this node has left and therefore chooses no members.
func (o *Overlay) departed() bool { return !o.members.Self().Live() }

func (o *Overlay) act(a Action) { o.out = append(o.out, a) }

// begin starts an input whose actions are appended to out.
func (o *Overlay) begin(out []Action) { o.out = out }

// end ends the input in progress and returns the buffer with its actions.
func (o *Overlay) end() []Action {
	out := o.out
	o.out = nil
	return out
}

// MembersChanged records that a member has joined, changed or gone.
func (o *Overlay) MembersChanged(now time.Time) {
	o.version++
	o.changed = now
	o.wantChoice(now)
}

// WantChoice schedules a choice although no member has changed.
func (o *Overlay) WantChoice(now time.Time) { o.wantChoice(now) }

// wantChoice schedules a choice: soon if subscriptions are missing, otherwise after a time without changes of the
// members. In a mass start, links would otherwise be replaced as quickly as they are made.
func (o *Overlay) wantChoice(now time.Time) {
	if o.pending.IsZero() {
		o.pending = now
	}
	if o.started < o.cfg.Subscriptions {
		o.choiceAt = timer.Soonest(o.choiceAt, now.Add(choiceSoon))
		return
	}
	o.choiceAt = timer.Soonest(now.Add(choiceCalm), o.pending.Add(choiceLatest))
}

func (o *Overlay) chosen(id wire.NodeID) bool { return slices.Contains(o.choice, id) }

// Avoid excludes a member that did not answer from the next choices.
func (o *Overlay) Avoid(out []Action, now time.Time, id wire.NodeID) []Action {
	o.begin(out)
	o.avoid(now, id)
	return o.end()
}

func (o *Overlay) avoid(now time.Time, id wire.NodeID) {
	if o.members.Get(id) == nil {
		return
	}
	o.act(Action{Kind: Avoided, Member: id, Pause: o.avoided.add(now, id, o.rng)})
	o.wantChoice(now)
}

// Avoids reports whether a member is excluded from the choice now because it refused or did not answer.
func (o *Overlay) Avoids(now time.Time, id wire.NodeID) bool { return o.avoided.has(now, id) }

// Forget removes the avoidance of a node that is not a live member any more.
func (o *Overlay) Forget(id wire.NodeID) { delete(o.avoided, id) }

// Measured records a measured round-trip time to m. It updates m.RTT, on which the choice depends, only if the time
// has changed by a fifth, so that choices are stable.
func (o *Overlay) Measured(m *members.Entry, rtt time.Duration) {
	if differs(rtt, m.RTT) {
		o.members.SetRTT(m, rtt)
		o.changes++
	}
}

// Measure returns the member to measure next by a Ping, or by a handshake if there is no session, or nil for none. It
// prefers a member of a zone without a measured member. The entry is read-only.
func (o *Overlay) Measure(now time.Time) (drawn *members.Entry) {
	o.measureAt = now.Add(measureInterval/2 + time.Duration(o.rng.Int64N(int64(measureInterval))))
	if o.departed() || len(o.links) == 0 {
		return nil
	}
	for range measureTries {
		m := o.members.Draw(o.rng)
		if m.ID == o.self || m.Legacy() || o.Avoids(now, m.ID) {
			continue
		}
		if drawn = m; o.distances.zones[m.Zone] == 0 {
			break
		}
	}
	return drawn
}
