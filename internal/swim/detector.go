package swim

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config is what a Detector is made with. The core has checked it.
type Config struct {
	Heartbeat     time.Duration // interval of this node's heartbeats
	ProbeInterval time.Duration // unit of the suspicion timeout; one link is measured in each
	ProbeTimeout  time.Duration // how long a probe waits for an answer
	Subscriptions int           // that this node aims at

	IndirectChecks          int // nodes that are asked to probe a silent member too; none if not above 0
	SuspicionMult           int // shortest suspicion timeout, in halves of ProbeInterval
	SuspicionMaxTimeoutMult int // longest suspicion timeout, in shortest ones
	AwarenessMaxMultiplier  int // bound of the factor by which local health stretches timeouts
}

// ownSilence is SilenceOf for this node's own heartbeats.
func (c *Config) ownSilence(intervals float64) time.Duration {
	return SilenceOf(c.Heartbeat, c.ProbeInterval, intervals)
}

// Stats counts what a Detector has done since it was made.
type Stats struct {
	ProbesFailed      uint64 // members that nobody heard in time
	ProbesIndirect    uint64 // requests to other nodes to probe a member
	ResultsAlive      uint64 // answers of helpers: the member answered them,
	ResultsNone       uint64 // or did not
	SuspicionsRaised  uint64 // by this node
	SuspicionsRefuted uint64 // that were against this node
	AccusationsStale  uint64 // accusations that were no news
}

// A Detector is the failure detector of one node. The inputs that have outcomes append them to out, which the caller
// owns, and return it as append does. The caller carries the actions out in order, and may give the Detector further
// inputs meanwhile. Not for concurrent use.
type Detector struct {
	Stats Stats

	cfg   Config
	rng   *rand.Rand
	table *members.Table
	self  *members.Entry
	peers map[wire.NodeID]*Peer
	links []*Peer // in the order in which they began

	suspicions map[wire.NodeID]*suspicion // of live members, by the accused
	probes     []*probe
	probeSeq   uint64 // of the last probe
	requests   requests
	patrol     timer.Timer
	census     census
	failures   failures
	health     health
	heardAny   time.Time // when a packet of any Go node last opened
	alone      bool      // it has been reported that this node hears no other

	timers timer.Heap
	out    []Action // the caller's buffer during an input; otherwise nil
}

// A suspicion is what is held against a member between the first accusation and the decision. The member counts as part
// of the cluster meanwhile and has time to refute: the less, the more nodes accuse it independently of each other
// (Lifeguard, arXiv 1707.00788).
type suspicion struct {
	incarnation uint64 // of the accused as its accusers knew it; a higher one refutes
	began       time.Time
	accusers    []wire.NodeID // the first one, then those that confirm it
	passedOn    int           // of accusers, to the links
	own         bool          // this node is an accuser
	private     bool          // this node is the only accuser, and has told nobody because it heard nobody
	timer       timer.Timer
}

// A probe finds out whether a member lives that should have been heard, or that does not hear this node, or whose turn
// it is. An answer shows that the member has heard this node, or a helper, since the probe began.
type probe struct {
	m       *members.Entry
	refuted uint64    // accusations that m had refuted when the probe began
	began   time.Time // when m was asked first
	seq     uint64
	patrol  bool          // it began without cause: helpers are not asked before the member was
	helpers []wire.NodeID // that were asked and have not answered
	asked   int           // helpers
	askedAt time.Time     // when they were
	half    bool          // the second half of the time has begun
	timer   timer.Timer
}

// A census probes all members that are not linked, a few at a time. A node takes one when nearly all of its links fail
// at once: there may be no other node left that watches the members, or that could confirm what this node finds out
// (docs/PROTOCOL.md V10).
type census struct {
	timer  timer.Timer
	left   []wire.NodeID // to be probed
	enough bool          // this node has as many subscriptions as it aims at
}

// begin begins an input whose actions are appended to out.
func (d *Detector) begin(out []Action) { d.out = out }

// take ends the input in progress and returns the buffer with its actions to the caller, who owns it.
func (d *Detector) take() []Action {
	out := d.out
	d.out = nil
	return out
}

func (d *Detector) add(a Action) { d.out = append(d.out, a) }

// Suspects reports whether m is suspected.
func (d *Detector) Suspects(m *members.Entry) bool { return d.suspicionOf(m) != nil }

// accuses reports whether this node itself accuses m, which may be nil.
func (d *Detector) accuses(m *members.Entry) bool {
	if m == nil {
		return false
	}
	s := d.suspicionOf(m)
	return s != nil && s.own
}

func (d *Detector) suspicionOf(m *members.Entry) *suspicion {
	if m.State != wire.StateSuspect {
		return nil
	}
	return d.suspicions[m.ID]
}
