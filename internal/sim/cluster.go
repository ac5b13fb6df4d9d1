// Package sim runs clusters of production cores (internal/gossip) over a simulated network (internal/simnet) in
// virtual time, to plan how large a cluster may be and what it costs. One seed gives one run. The package never
// judges a cluster: internal/simcheck does.
//
// Reading order: cluster.go has the nodes and their operations; node.go a core and its application; ledger.go which
// message reached which node; view.go compares views with the truth; watch.go when crashes become known; mixed.go
// clusters with gwyh 0.1 nodes; regions.go a map of the world; plan.go and report.go capacity planning.
package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/trace"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config configures a cluster.
type Config struct {
	Seed  uint64
	Nodes int
	Core  gossip.Config // what all nodes have in common: see LAN; names, addresses and the like are filled in
	Link  simnet.Link   // between all nodes; with a Map, for everything the map does not set
	Map   *Map          // nil: a single place without zones

	Trace io.Writer // receives events as lines of JSON (internal/trace), with seconds since the start; nil: no trace

	Formed bool // the nodes start as members of each other (members.Base), without links; otherwise they know no other node
}

// LAN returns the part of a node's configuration that is the same on all nodes, as in the LAN preset.
func LAN() gossip.Config {
	return gossip.Config{MetaMax: 512, Subscriptions: 5, Heartbeat: time.Second, DatagramSize: 1400, DatagramTaken: simnet.MaxDatagram,
		GossipToTheDeadTime: 30 * time.Second, PushPullInterval: 30 * time.Second,
		Detection: swim.Config{ProbeInterval: time.Second, ProbeTimeout: 500 * time.Millisecond, IndirectChecks: 3,
			SuspicionMult: 4, SuspicionMaxTimeoutMult: 6, AwarenessMaxMultiplier: 8}}
}

// Cluster is the nodes of a simulation. It is not safe for concurrent use.
type Cluster struct {
	Net   *simnet.Network
	Nodes []*Node

	cfg     Config
	rng     *rand.Rand // choices of the run that do not belong to the network
	lives   uint64     // number of cores created so far
	ledger  ledger
	watch   watch
	trace   *trace.Log            // nil: no trace
	learnt  uint32                // the newest fact: see Learn
	byID    map[wire.NodeID]*Node // by the ids of all lives
	laggard int                   // the node that was last found not ready: see Whole

	overheard func(n *Node, data []byte) bool // handles messages that the ledger does not know; nil: there are none
}

// Config returns the configuration of the cluster.
func (c *Cluster) Config() Config { return c.cfg }

// Rand returns the source of the choices of the run that do not belong to the network.
func (c *Cluster) Rand() *rand.Rand { return c.rng }

// JoinFor is how long one Join of a node lasts, as in JoinContext without a deadline.
const JoinFor = 10 * time.Second

// New creates a cluster.
func New(cfg Config) *Cluster {
	c := &Cluster{
		cfg:  cfg,
		rng:  rand.New(rand.NewPCG(cfg.Seed, 0x73696d)),
		byID: make(map[wire.NodeID]*Node),
	}
	network := simnet.Config{Seed: cfg.Seed, Link: cfg.Link}
	if cfg.Trace != nil {
		network.Trace = c.traceNet
	}
	c.Net = simnet.New(network)
	if cfg.Trace != nil {
		c.trace = trace.NewLog(cfg.Trace, c.Net.Now())
	}
	if cfg.Map != nil {
		c.Net.SetLatencies(cfg.Map.Zones, cfg.Map.Latencies, cfg.Map.Jitter)
	}
	base := c.table()
	for range cfg.Nodes {
		c.add(base)
	}
	return c
}

// table returns the members that the nodes of a formed cluster share, or nil if the cluster is not formed.
func (c *Cluster) table() *members.Base {
	if !c.cfg.Formed {
		return nil
	}
	all := make([]gossip.Member, c.cfg.Nodes)
	for i := range all {
		n := c.node(i)
		cfg := c.coreConfig(n, uint64(i))
		all[i] = gossip.Member{ID: cfg.ID, Name: cfg.Name, Addr: cfg.Advertise, Zone: cfg.Zone, Versions: cfg.Versions,
			State: wire.StateAlive, Incarnation: uint64(c.Net.Now().UnixMilli())}
	}
	return members.NewBase(c.Net.Now(), all)
}

// Addr returns the address of a node.
func Addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 6969)
}

// node returns a node with the properties that stay the same in all its lives.
func (c *Cluster) node(i int) *Node {
	n := &Node{Index: i, Name: fmt.Sprintf("node-%d", i), Addr: Addr(i), cluster: c}
	if m := c.cfg.Map; m != nil {
		n.Zone = m.Zones[i%len(m.Zones)]
	}
	return n
}

// Add starts one more node, which knows no other node.
func (c *Cluster) Add() *Node { return c.add(nil) }

func (c *Cluster) add(base *members.Base) *Node {
	n := c.node(len(c.Nodes))
	c.Nodes = append(c.Nodes, n)
	n.begin(c.Net.Now(), base)
	c.Net.Add(simnet.HostConfig{Addr: n.Addr, Name: n.Name, Zone: n.Zone}, n)
	return n
}

// coreConfig returns the configuration of one life of a node. Each life draws its keys and ids from its own stream;
// the streams of the first nodes are their indices.
func (c *Cluster) coreConfig(n *Node, life uint64) gossip.Config {
	random := c.Net.Reader(life)
	cfg := c.cfg.Core
	// What else a node draws does not depend on how many bytes its id takes, so that earlier runs can be compared.
	ids := io.MultiReader(io.LimitReader(random, 16), c.Net.Reader(1<<62|life))
	id, secret, err := nodeid.New(ids, nodeid.NoAgreement)
	if err != nil {
		panic(err) // the network's readers never end
	}
	cfg.ID, cfg.Secret, cfg.Name, cfg.Advertise, cfg.Rand = id, secret, n.Name, n.Addr, random
	cfg.Zone = wire.Zone{Name: n.Zone, Valid: n.Zone != ""}
	cfg.Keys = []handshake.Key{handshake.NewKey([]byte("insecure"), "")}
	if c.trace != nil {
		cfg.Trace = c.trace.Tracer(n.Name)
	}
	cfg.Suite, cfg.Agreement = session.Null, nodeid.NoAgreement
	return cfg
}

// Do calls a node's core as its shell would. It does nothing if the node is down.
func (c *Cluster) Do(n *Node, f func(now time.Time)) {
	c.Net.Do(n.Addr, func(now time.Time) {
		f(now)
		n.take(now)
	})
}

// Join makes a node join the seeds.
func (c *Cluster) Join(n *Node, seeds ...*Node) {
	c.Do(n, func(now time.Time) {
		n.seeds.Add(now, Addrs(seeds))
		for _, s := range seeds {
			n.Core.Join(now, s.Addr, now.Add(JoinFor))
		}
	})
}

// Form makes all nodes join the first one at the same moment, unless they already know each other, and waits up to
// limit until the cluster is whole. It returns how long that took.
func (c *Cluster) Form(limit time.Duration) (time.Duration, error) {
	c.joinFirst()
	return c.AwaitWhole(limit)
}

func (c *Cluster) joinFirst() {
	if c.cfg.Formed {
		return
	}
	for _, n := range c.Nodes[1:] {
		c.Join(n, c.Nodes[0])
	}
}

// AwaitWhole waits up to limit until every node knows all others and receives from as many as it wants.
func (c *Cluster) AwaitWhole(limit time.Duration) (time.Duration, error) {
	begin := c.Net.Elapsed()
	if !c.Await(limit, c.Whole) {
		return limit, fmt.Errorf("not whole after %v: %s", limit, c.Missing())
	}
	return c.Net.Elapsed() - begin, nil
}

// awaitStep is the interval of virtual time at which conditions are checked.
const awaitStep = time.Millisecond

// Await lets time pass until done returns true or limit has passed. It calls done every millisecond of virtual time.
func (c *Cluster) Await(limit time.Duration, done func() bool) bool {
	for end := c.Net.Elapsed() + limit; c.Net.Elapsed() < end; c.Net.RunFor(awaitStep) {
		if done() {
			return true
		}
	}
	return done()
}

// Crash ends a node without a leave.
func (c *Cluster) Crash(n *Node) {
	c.Net.Crash(n.Addr)
	n.end(c.Net.Elapsed())
}

// Restart begins a node's next life with the same name and address, and without any remembered state.
func (c *Cluster) Restart(n *Node, seeds ...*Node) {
	n.begin(c.Net.HostNow(n.Addr), nil)
	c.Net.Restart(n.Addr, n)
	c.Join(n, seeds...)
}

// Leave makes a node leave gracefully, and ends it after the time that its shell would take for that.
func (c *Cluster) Leave(n *Node) {
	c.Do(n, n.Core.Leave)
	n.end(c.Net.Elapsed())
	c.Net.RunFor(leaveFlush)
	c.Net.Crash(n.Addr)
}

// leaveFlush is the time between a leave and the end of the process.
const leaveFlush = 20 * time.Millisecond

// Up returns the nodes that run.
func (c *Cluster) Up() []*Node {
	up := make([]*Node, 0, len(c.Nodes))
	for _, n := range c.Nodes {
		if n.Up() {
			up = append(up, n)
		}
	}
	return up
}

// Pick draws count nodes from those that run.
func (c *Cluster) Pick(count int) []*Node {
	up := c.Up()
	c.rng.Shuffle(len(up), func(i, j int) { up[i], up[j] = up[j], up[i] })
	return up[:min(count, len(up))]
}

func Addrs(nodes []*Node) []netip.AddrPort {
	list := make([]netip.AddrPort, len(nodes))
	for i, n := range nodes {
		list[i] = n.Addr
	}
	return list
}
