package gossip

import (
	"io"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Member is what a node knows about another node, or about itself.
type Member = members.Member

// Config is the configuration of a core. The caller has checked it.
type Config struct {
	ID        wire.NodeID    // version 8, new for each run, see NewID
	Secret    *nodeid.Secret // the secret of ID
	Name      string         // 1 to 255 bytes, unique in the cluster
	Zone      wire.Zone      // invalid: the node has no zone
	Advertise netip.AddrPort // where other nodes reach this node
	Meta      []byte
	MetaMax   int // maximum size of metadata accepted from other nodes, in bytes
	Versions  [6]byte

	Allow func(netip.Addr) bool // reports whether a member may have the address; nil allows all

	// Own reports whether this node's transport receives at an address other than Advertise. It must not block. If it
	// is nil, the transport receives at Advertise only.
	Own func(netip.AddrPort) bool

	// Unsent reports whether data sent to an address is still waiting to be written by a slow transport, or being
	// written. It must not block. If it is nil, nothing ever waits.
	Unsent func(netip.AddrPort) bool

	Keys        []handshake.Key // pre-shared keys, the primary first
	Labeled     bool            // the keys carry a cluster label
	AllowLegacy bool            // admit gwyh 0.1 nodes

	// The time for which a dead node's name stays reserved for its address is the first of these that is not zero, or
	// nameHold.
	DeadNodeReclaimTime, GossipToTheDeadTime time.Duration
	State                                    bool // the application exchanges state, which may be empty at times
	AskMerge                                 bool // the application decides whether this cluster merges with another
	AskAlive                                 bool // the application decides about each node that becomes a member
	AskSelection                             bool // the application decides which members may be chosen
	// PushPullInterval is the time between push/pulls with a random member. Zero means 30 s, negative disables them.
	PushPullInterval time.Duration
	PushPullNodes    int // number of members in each interval; zero means 1

	Subscriptions int // number of members to subscribe to
	Strategy      overlay.Strategy
	Beacon        time.Duration // interval of beacons; zero: this node sends none
	Heartbeat     time.Duration // interval at which this node sends heartbeats on its links

	// Detection is the part that configures failure detection. Zero fields mean the values of the LAN preset. The core sets
	// Heartbeat and Subscriptions.
	Detection swim.Config
	Pings     bool // an event.Ping reports each answer to a Ping

	DatagramSize  int // largest datagram sent, in bytes of UDP payload
	DatagramMax   int // largest datagram that paths are probed for; no larger than DatagramSize: no probes
	DatagramTaken int // largest datagram received, announced to peers

	Memory memory.Shares // bounds of the stores; zero means those of the default limit

	// Trace writes what happens in the node. If it is nil, nothing is written, and no trace data is allocated.
	Trace *trace.Tracer

	// Debug reports whether lines at DEBUG are wanted. [Core.SetDebug] changes it.
	Debug bool

	// AnswerAdvertised sends to the address a peer advertises instead of the source address of its packets. It is for
	// transports whose source addresses cannot be answered.
	AnswerAdvertised bool

	// Base holds members that the core knows from the start and shares with other cores. The core chooses neighbors
	// among them at once. Only simulations set it.
	Base *members.Base

	Suite     session.Suite    // seals boxes
	Agreement nodeid.Agreement // how handshakes agree on a secret; nil for X25519
	Rand      io.Reader        // keys, nonces, ids
}

// metaUsual is the default limit of the metadata size, in bytes.
const metaUsual = 512

// selfOf returns the initial entry of this node.
func selfOf(c *Config) Member {
	return Member{ID: c.ID, Name: c.Name, Addr: c.Advertise, Zone: c.Zone, Meta: c.Meta, Versions: c.Versions}
}
