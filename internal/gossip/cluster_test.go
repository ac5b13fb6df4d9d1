package gossip

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// cluster is a simulated cluster of cores and the events of their applications.
type cluster struct {
	t     testing.TB
	net   *simnet.Network
	nodes []*node
	tweak func(i int, c *Config)

	made    int // number of nodes, including those of restarts
	arrived int // number of messages delivered to an application
}

// node is one core and its application.
type node struct {
	*Core
	addr   netip.AddrPort
	got    map[string]int
	at     map[string]time.Time
	joined []event.Event // event.Joined
	events []event.Event // membership events
	sent   []event.Event // event.Sent
	pings  []event.Event // event.Ping, event.Pinged
	logs   []string

	conflicts []event.Event
	departed  int

	app     app
	arrived *int        // the counter of the cluster
	last    event.Event // the last message
	repeats int         // number of messages that arrived by Repeat
}

// key returns the map key of a message: the message itself, or its hash if it is large.
func key[T string | []byte](msg T) string {
	if len(msg) <= 1<<12 {
		return string(msg)
	}
	return fmt.Sprintf("%s and so on, %d bytes, %x", msg[:24], len(msg), maphash.Bytes(hashSeed, []byte(msg)))
}

var hashSeed = maphash.MakeSeed()

func (n *node) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	n.Core.HandleDatagram(now, from, b)
	n.take(now)
}

// HandleTimeout also does what is due at once because of what the application does.
func (n *node) HandleTimeout(now time.Time) {
	for {
		n.Core.HandleTimeout(now)
		n.take(now)
		if !timer.Due(n.NextTimeout(), now) {
			return
		}
	}
}

func (n *node) take(now time.Time) {
	for events := n.Events(); len(events) > 0; events = n.Events() {
		n.takeAll(now, events)
	}
}

func (n *node) takeAll(now time.Time, events []event.Event) {
	for _, e := range events {
		switch e.Kind {
		case event.StateWanted, event.State, event.MergeAsked, event.AliveAsked:
			n.app.ask(now, n.Core, e)
		case event.SelectionWanted:
			n.app.selections++
			if n.app.silent {
				n.app.unanswered = append(n.app.unanswered, e.Peers)
				continue
			}
			n.choose(now, e.Peers)
		case event.Message:
			n.got[key(e.Data)]++
			n.at[key(e.Data)] = now
			*n.arrived++
			n.last = e
			if e.Via == event.ViaRepeat {
				n.repeats++
			}
		case event.Joined:
			n.joined = append(n.joined, e)
		case event.Sent:
			n.sent = append(n.sent, e)
		case event.Departed:
			n.departed++
		case event.Conflict:
			n.conflicts = append(n.conflicts, e)
		case event.Ping, event.Pinged:
			n.pings = append(n.pings, e)
		case event.PayloadWanted:
			n.SetAckPayload(now, []byte("payload of "+n.cfg.Name))
		case event.Log:
			n.logs = append(n.logs, e.Text)
		default:
			n.events = append(n.events, e)
		}
	}
}

// choose answers which of peers the node may choose.
func (n *node) choose(now time.Time, peers []Member) {
	selected, preferred := n.app.selects(peers)
	n.SetSelection(now, selected, preferred)
}

func newCluster(t testing.TB, seed uint64, link simnet.Link) *cluster {
	c := &cluster{t: t, net: simnet.New(simnet.Config{Seed: seed, Link: link})}
	dumps.register(t, c)
	return c
}

// dumps contains the last cluster of each running test, to show its state if the test fails.
var dumps = dumpers{last: make(map[testing.TB]*cluster)}

type dumpers struct {
	sync.Mutex
	last map[testing.TB]*cluster
}

func (d *dumpers) register(t testing.TB, c *cluster) {
	d.Lock()
	defer d.Unlock()
	if d.last[t] == nil {
		t.Cleanup(func() { d.end(t) })
	}
	d.last[t] = c
}

// end shows the cluster of a test if the test has failed, and removes the cluster.
func (d *dumpers) end(t testing.TB) {
	d.Lock()
	c := d.last[t]
	delete(d.last, t)
	d.Unlock()
	if t.Failed() {
		c.dump()
	}
}

// dump logs the state of the first nodes.
func (c *cluster) dump() {
	const most = 4
	var b strings.Builder
	for _, n := range c.nodes[:min(len(c.nodes), most)] {
		n.Dump(&b, c.net.Now())
	}
	c.t.Logf("%v after the start, up to %d of %d nodes:\n%s", c.net.Elapsed(), most, len(c.nodes), b.String())
}

func testAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 6969)
}

// config returns the LAN preset without encryption in the boxes.
func (c *cluster) config(i int) Config {
	random := c.net.Reader(uint64(c.made))
	// What else a node draws does not depend on how many bytes its id takes.
	ids := io.MultiReader(io.LimitReader(random, 16), c.net.Reader(3<<33+uint64(c.made)))
	id, secret, err := nodeid.New(ids, nodeid.NoAgreement)
	c.made++
	if err != nil {
		c.t.Fatal(err)
	}
	cfg := Config{ID: id, Secret: secret, Name: fmt.Sprintf("node-%d", i), Advertise: testAddr(i), MetaMax: 512,
		Keys: []handshake.Key{handshake.NewKey([]byte("insecure"), "")}, AllowLegacy: true,
		Subscriptions: 5, Heartbeat: time.Second, DatagramSize: 1400, DatagramTaken: 65_507,
		Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: random}
	if c.tweak != nil {
		c.tweak(i, &cfg)
	}
	return cfg
}

func (c *cluster) make(i int) *node {
	core, err := New(c.net.Now(), c.config(i))
	if err != nil {
		c.t.Fatal(err)
	}
	return &node{Core: core, addr: core.cfg.Advertise, got: map[string]int{}, at: map[string]time.Time{}, arrived: &c.arrived}
}

// add starts n more nodes.
func (c *cluster) add(n int) {
	for range n {
		nd := c.make(len(c.nodes))
		c.nodes = append(c.nodes, nd)
		c.net.Add(simnet.HostConfig{Addr: nd.addr, Name: nd.cfg.Name, Zone: nd.cfg.Zone.Name}, nd)
	}
}

// join makes node i join the given one.
func (c *cluster) join(i, seed int) {
	c.do(i, func(now time.Time) { c.nodes[i].Join(now, c.nodes[seed].addr, now.Add(10*time.Second)) })
}

// do runs f on node i, as the shell would.
func (c *cluster) do(i int, f func(now time.Time)) {
	c.net.Do(c.nodes[i].addr, func(now time.Time) {
		f(now)
		c.nodes[i].take(now)
	})
}

// whole reports whether every node knows all others and has as many subscriptions as it wants.
func (c *cluster) whole() bool {
	for _, n := range c.nodes {
		if n.members.Count() != len(c.nodes) || n.Started() < min(n.cfg.Subscriptions, len(c.nodes)-1) {
			return false
		}
	}
	return true
}

// form joins all nodes to node 0 at once and runs until the cluster is whole.
func (c *cluster) form(within time.Duration) time.Duration {
	c.t.Helper()
	begin := c.net.Elapsed()
	for i := 1; i < len(c.nodes); i++ {
		c.join(i, 0)
	}
	if !c.net.RunUntil(within, c.whole) {
		c.t.Fatalf("not whole after %v: %s", within, c.missing())
	}
	return c.net.Elapsed() - begin
}

func (c *cluster) missing() string {
	var known, started []int
	for _, n := range c.nodes {
		known = append(known, n.members.Count())
		started = append(started, n.Started())
	}
	slices.Sort(known)
	slices.Sort(started)
	return fmt.Sprintf("members from %d to %d of %d, subscriptions from %d", known[0], known[len(known)-1], len(c.nodes), started[0])
}

// broadcast sends a message from node i and checks that all other nodes receive it exactly once. It returns how long
// the last of them took.
func (c *cluster) broadcast(i int, msg string, within time.Duration) time.Duration {
	c.t.Helper()
	var begin time.Time
	c.do(i, func(now time.Time) {
		begin = now
		if err := c.nodes[i].Broadcast(now, []byte(msg)); err != nil {
			c.t.Fatal(err)
		}
	})
	c.net.RunFor(within)
	var last time.Duration
	for k, n := range c.nodes {
		want := 1
		if k == i {
			want = 0
		}
		if n.got[key(msg)] != want {
			c.t.Errorf("%.24q from %d: node %d got it %d times, want %d", msg, i, k, n.got[key(msg)], want)
			continue
		}
		if want == 1 {
			last = max(last, n.at[key(msg)].Sub(begin))
		}
	}
	return last
}

func joinErrors(events []event.Event) error {
	var errs []error
	for _, e := range events {
		errs = append(errs, e.Err)
	}
	return errors.Join(errs...)
}

// count returns how many events of a kind the node saw about the member with a name. An empty name means any member.
func (n *node) count(kind event.Kind, name string) (count int) {
	for _, e := range n.events {
		if e.Kind == kind && (name == "" || e.Member.Name == name) {
			count++
		}
	}
	return count
}

// names returns the membership events that the node saw.
func (n *node) names() (list []string) {
	for _, e := range n.events {
		list = append(list, fmt.Sprintf("%s %s", [...]string{event.Join: "join", event.Update: "update", event.Leave: "leave"}[e.Kind], e.Member.Name))
	}
	return list
}

func newTestRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
