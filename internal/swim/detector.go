package swim

import (
	"cmp"
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config is the configuration of a Detector. The core has validated it.
type Config struct {
	Heartbeat     time.Duration // interval of this node's heartbeats
	ProbeInterval time.Duration // unit of the suspicion timeout; one link is measured per ProbeInterval
	ProbeTimeout  time.Duration // time that a probe waits for an answer
	Subscriptions int           // number of subscriptions that this node aims at

	IndirectChecks          int // nodes that are asked to probe a silent member too; none if 0 or less, but see Fill
	SuspicionMult           int // shortest suspicion timeout, in halves of ProbeInterval
	SuspicionMaxTimeoutMult int // longest suspicion timeout, as a multiple of the shortest one
	AwarenessMaxMultiplier  int // upper bound of the factor by which local health stretches timeouts
}

// Fill replaces zero values by those of the LAN preset, except Heartbeat and Subscriptions.
func (c *Config) Fill() {
	c.ProbeInterval = cmp.Or(c.ProbeInterval, time.Second)
	c.ProbeTimeout = cmp.Or(c.ProbeTimeout, 500*time.Millisecond)
	c.IndirectChecks = cmp.Or(c.IndirectChecks, 3)
	c.SuspicionMult = cmp.Or(c.SuspicionMult, 4)
	c.SuspicionMaxTimeoutMult = cmp.Or(c.SuspicionMaxTimeoutMult, 6)
	c.AwarenessMaxMultiplier = cmp.Or(c.AwarenessMaxMultiplier, 8)
}

// ownSilence returns SilenceOf for this node's own heartbeats.
func (c *Config) ownSilence(intervals float64) time.Duration {
	return SilenceOf(c.Heartbeat, c.ProbeInterval, intervals)
}

// Stats counts the events of a Detector since it was created.
type Stats struct {
	ProbesFailed      uint64 // probes that no answer ended in time
	ProbesIndirect    uint64 // requests to other nodes to probe a member
	ResultsAlive      uint64 // results of helpers that the member answered
	ResultsNone       uint64 // results of helpers that the member did not answer
	SuspicionsRaised  uint64 // accusations by this node
	SuspicionsRefuted uint64 // refutations by this node of accusations against it
	AccusationsStale  uint64 // accusations without news

	AccusationsRationed uint64 // accusations with news that their peer, or peers without a link, may not bring now
}

// A Detector is the failure detector of one node. Inputs that have results append them as Actions to out, which the
// caller owns, and return the extended slice. The caller carries the actions out in order, and may call further inputs
// meanwhile. A Detector is not safe for concurrent use.
type Detector struct {
	Stats Stats

	cfg   Config
	rng   *rand.Rand
	table *members.Table
	self  *members.Entry
	peers map[wire.NodeID]*Peer
	links []*Peer // in the order in which they began

	suspicions map[wire.NodeID]*suspicion // of live members, by the id of the accused
	probes     []*probe
	probeSeq   uint64 // of the last probe
	requests   requests
	ration     ration
	refutals   refutals
	patrol     timer.Timer
	census     census
	failures   failures
	health     health
	heardAny   time.Time // when a packet of any Go node last opened
	alone      bool      // NobodyHeard has been reported

	timers timer.Heap
	out    []Action // the caller's buffer during an input; nil otherwise
}

// A suspicion holds the accusations of a member from the first accusation to the decision. Until then the accused is
// still a member and can refute. The more nodes accuse it independently, the shorter is the time that it has
// (Lifeguard, arXiv 1707.00788).
type suspicion struct {
	incarnation uint64 // the accused incarnation; a higher one refutes
	began       time.Time
	accusers    []wire.NodeID // the first accuser, then those that confirm its accusation
	passedOn    int           // number of accusers that were reported to the links
	own         bool          // this node is an accuser
	private     bool          // this node is the only accuser, and has not informed any node because it heard none
	decided     bool          // another node has declared the member dead: the accused has the least time
	timer       timer.Timer
}

// A probe finds out whether a member is alive that is silent, that does not hear this node, or that no link watches. An
// answer shows that the member has opened a packet from this node or a helper since the probe began.
type probe struct {
	m            *members.Entry
	refuted      uint64    // m.Refuted when the probe began
	began        time.Time // when m was asked first
	seq          uint64
	patrol       bool          // of an unlinked member: helpers are asked only if it does not answer
	helpers      []wire.NodeID // helpers that were asked and have not answered
	helpersAsked int           // number of helpers that were asked
	askedAt      time.Time     // when the helpers were asked
	half         bool          // the second half of the timeout has begun
	timer        timer.Timer
}

// A census probes all members that are not linked, a few at a time. A node takes one when nearly all of its links fail
// at once. Then there may be no other node left that watches the members or confirms this node's accusations
// (docs/PROTOCOL.md V10).
type census struct {
	timer      timer.Timer
	left       []wire.NodeID // members that have not been probed yet
	subscribed bool          // this node has as many subscriptions as it aims at
}

// begin starts an input whose actions are appended to out.
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

// Accuses reports whether this node itself accuses m, because m did not answer its last probe and has not refuted that. m
// may be nil.
func (d *Detector) Accuses(m *members.Entry) bool {
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
