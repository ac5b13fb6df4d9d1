package gossip

import (
	"io"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Member is what a node knows of another, or of itself.
type Member = members.Member

// Config is what a core is made of. It has been checked by the caller.
type Config struct {
	ID        wire.NodeID    // version 8, new for each run
	Name      string         // 1 to 255 bytes, unique in the cluster
	Zone      wire.Zone      // none when not valid
	Advertise netip.AddrPort // where others reach this node
	Meta      []byte
	MetaMax   int // bound of the metadata taken from others, in bytes
	Versions  [6]byte

	Allow func(netip.Addr) bool // which addresses members may have; nil for all

	// Own reports whether this node's transport receives at an address, beside Advertise. It must not block. nil:
	// at Advertise only.
	Own func(netip.AddrPort) bool

	// Unsent reports whether something that was sent to an address waits to be written, or is being written: over
	// a slow transport. It must not block. nil: never.
	Unsent func(netip.AddrPort) bool

	Keys        []handshake.Key // pre-shared keys, the primary first
	Labelled    bool            // the keys carry a cluster label
	AllowLegacy bool            // admit gwyh 0.1 nodes

	// How long the name of a dead node is kept for its address: the first that is not zero.
	DeadNodeReclaimTime, GossipToTheDeadTime time.Duration
	State                                    bool // the application has a state to exchange, though it may be empty at times
	AskMerge                                 bool // it is asked before this cluster and another become one
	AskAlive                                 bool // it is asked about each node that becomes a member
	AskSelection                             bool // it is asked which members may be chosen
	// PushPullInterval is the time between push/pulls with a random member. Negative: never.
	PushPullInterval time.Duration
	PushPullNodes    int // members in each interval; zero means 1

	Subscriptions int // members to hear from
	Strategy      overlay.Strategy
	Heartbeat     time.Duration // interval at which this node is heard on its links

	// Failure detection. Zero means what the LAN preset has; no indirect checks are -1.
	ProbeInterval           time.Duration // suspicion is reckoned from it; one link is measured in each
	ProbeTimeout            time.Duration // for an answer of a silent member
	IndirectChecks          int           // other nodes asked about it
	SuspicionMult           int           // least time of a suspicion, in halves of ProbeInterval
	SuspicionMaxTimeoutMult int           // longest time, in least ones
	AwarenessMaxMultiplier  int           // bound of the stretching by ill health
	Pings                   bool          // an event.Ping tells of each answer to a Ping

	DatagramSize  int // largest datagram sent, in bytes of UDP payload
	DatagramMax   int // largest datagram that paths are probed for; nothing is probed if it is not above DatagramSize
	DatagramTaken int // largest datagram received, told to peers

	// Trace writes what happens in the node. nil: nothing is written, and nothing is made for it.
	Trace *trace.Tracer

	// Debug says that lines at DEBUG are wanted. [Core.SetDebug] changes that.
	Debug bool

	// AnswerAdvertised sends to the address a peer advertises instead of the one its packets came
	// from: for transports whose source addresses cannot be answered.
	AnswerAdvertised bool

	// Base is members that the core knows from the start and shares with other cores. It begins to choose
	// among them at once. Only simulations have one.
	Base *members.Base

	Suite     session.Suite       // what boxes are sealed with
	Agreement handshake.Agreement // how handshakes agree on a secret; nil for X25519
	Rand      io.Reader           // keys, nonces, ids
}

// fill gives the values of the LAN preset to what is zero.
func (c *Config) fill() {
	fill(&c.ProbeInterval, time.Second)
	fill(&c.ProbeTimeout, 500*time.Millisecond)
	fill(&c.IndirectChecks, 3)
	c.IndirectChecks = max(c.IndirectChecks, 0)
	fill(&c.PushPullInterval, 30*time.Second)
	fill(&c.SuspicionMult, 4)
	fill(&c.SuspicionMaxTimeoutMult, 6)
	fill(&c.AwarenessMaxMultiplier, 8)
	fill(&c.GossipToTheDeadTime, 30*time.Second)
}

func fill[T comparable](v *T, zeroMeans T) {
	var zero T
	if *v == zero {
		*v = zeroMeans
	}
}

// NewID draws a node id.
func NewID(random io.Reader) (wire.NodeID, error) {
	var id wire.NodeID
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return id, err
	}
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// nameHold is how long the name of a dead node is reserved for its address.
func (c *Config) nameHold() time.Duration {
	if c.DeadNodeReclaimTime > 0 {
		return c.DeadNodeReclaimTime
	}
	return c.GossipToTheDeadTime
}

// selfOf is this node as it begins.
func selfOf(c *Config) Member {
	return Member{ID: c.ID, Name: c.Name, Addr: c.Advertise, Zone: c.Zone, Meta: c.Meta, Versions: c.Versions}
}

// detection is the part of the configuration that the failure detector needs.
func (c *Config) detection() swim.Config {
	return swim.Config{
		Heartbeat: c.Heartbeat, ProbeInterval: c.ProbeInterval, ProbeTimeout: c.ProbeTimeout,
		Subscriptions: c.Subscriptions, IndirectChecks: c.IndirectChecks, SuspicionMult: c.SuspicionMult,
		SuspicionMaxTimeoutMult: c.SuspicionMaxTimeoutMult, AwarenessMaxMultiplier: c.AwarenessMaxMultiplier,
	}
}
