package compat

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// onGwyh is true if gwyh is under test.
const onGwyh = memberlist.Library == "gwyh"

// differs returns the expectation for the library under test where the two differ by design. id is the id of the
// difference in docs/MIGRATING.md.
func differs[T any](t testing.TB, id string, original, gwyh T) T {
	t.Helper()
	if onGwyh {
		t.Logf("%s: differs by design", id)
		return gwyh
	}
	return original
}

// An app is the program's side of a node: all the delegates, which record their calls.
type app struct {
	mu      sync.Mutex // guards the following fields
	told    []string   // calls of all delegates that are not polled, in order
	msgs    [][]byte   // copies
	kept    [][]byte   // the original slices
	states  [][]byte
	merges  [][]*memberlist.Node
	pings   []ping
	meta    []byte
	state   []byte
	polls   []poll
	limits  []int // arguments of NodeMeta
	queue   memberlist.TransmitLimitedQueue
	payload []byte
	more    func() [][]byte // if not nil, used by GetBroadcasts instead of the queue
	onJoin  func(*memberlist.Node)
	onMsg   func([]byte)
	onMerge func()                       // called in MergeRemoteState
	alive   func(*memberlist.Node) error // nil: accept all
	merge   func([]*memberlist.Node) error
}

type ping struct {
	name    string
	rtt     time.Duration
	payload string
}

type poll struct{ overhead, limit int }

func newApp() *app {
	a := &app{}
	a.queue.RetransmitMult = 4
	a.queue.NumNodes = func() int { return 2 }
	return a
}

func (a *app) tell(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, fmt.Sprintf(format, args...))
}

func (a *app) NodeMeta(limit int) []byte {
	a.tell("meta")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limits = append(a.limits, limit)
	return a.meta
}

func (a *app) NotifyMsg(b []byte) {
	if a.onMsg != nil {
		a.onMsg(b)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.msgs = append(a.msgs, bytes.Clone(b))
	a.kept = append(a.kept, b)
}

func (a *app) GetBroadcasts(overhead, limit int) [][]byte {
	a.mu.Lock()
	a.polls = append(a.polls, poll{overhead, limit})
	more := a.more
	a.mu.Unlock()
	if more != nil {
		return more()
	}
	return a.queue.GetBroadcasts(overhead, limit)
}

func (a *app) LocalState(join bool) []byte {
	a.tell("state %v", join)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

func (a *app) MergeRemoteState(b []byte, join bool) {
	a.tell("remote %v", join)
	if a.onMerge != nil {
		a.onMerge()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.states = append(a.states, bytes.Clone(b))
}

func (a *app) NotifyJoin(n *memberlist.Node) {
	if a.onJoin != nil {
		a.onJoin(n)
	}
	a.tell("join %s", n.Name)
}
func (a *app) NotifyLeave(n *memberlist.Node)  { a.tell("leave %s", n.Name) }
func (a *app) NotifyUpdate(n *memberlist.Node) { a.tell("update %s %s", n.Name, n.Meta) }

func (a *app) NotifyAlive(n *memberlist.Node) error {
	a.tell("alive %s %s", n.Name, n.Meta)
	if a.alive != nil {
		return a.alive(n)
	}
	return nil
}

func (a *app) NotifyMerge(peers []*memberlist.Node) error {
	a.tell("merge %d", len(peers))
	a.mu.Lock()
	a.merges = append(a.merges, peers)
	a.mu.Unlock()
	if a.merge != nil {
		return a.merge(peers)
	}
	return nil
}

func (a *app) NotifyConflict(existing, other *memberlist.Node) {
	a.tell("conflict %s %s %s", existing.Name, existing.Address(), other.Address())
}

func (a *app) AckPayload() []byte { return a.payload }

func (a *app) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, payload []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pings = append(a.pings, ping{n.Name, rtt, string(payload)})
}

// calls returns the recorded calls that begin with one of the words.
func (a *app) calls(words ...string) (list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.told {
		if word, _, _ := strings.Cut(c, " "); slices.Contains(words, word) {
			list = append(list, c)
		}
	}
	return list
}

// forget drops all recorded calls.
func (a *app) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = nil
}

// messages returns the messages of NotifyMsg, in order.
func (a *app) messages() (list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.msgs {
		list = append(list, string(m))
	}
	return list
}

// received returns the merged states.
func (a *app) received() (list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.states {
		list = append(list, string(s))
	}
	return list
}

// broadcast queues messages.
func (a *app) broadcast(msgs ...string) {
	for _, m := range msgs {
		a.queue.QueueBroadcast(&plain{msg: []byte(m)})
	}
}

// plain is a message in a queue.
type plain struct {
	msg      []byte
	void     func(memberlist.Broadcast) bool
	finished int
	onFinish func()
}

func (p *plain) Invalidates(b memberlist.Broadcast) bool { return p.void != nil && p.void(b) }
func (p *plain) Message() []byte                         { return p.msg }
func (p *plain) Finished() {
	p.finished++
	if p.onFinish != nil {
		p.onFinish()
	}
}

// A cluster is a set of nodes on an in-memory network with its own clock, or on sockets.
type cluster struct {
	*testing.T
	net     network
	sockets bool // each node has a socket on loopback and uses real time
	log     safeBuffer
}

// A node is a node of a cluster with its app, transport and configuration.
type node struct {
	*memberlist.Memberlist
	*app
	end  *end
	conf *memberlist.Config
}

// key is the key of all nodes.
var key = []byte("0123456789abcdef")

// inBubble runs f with a cluster in a synctest bubble, where time passes only while all goroutines wait. Every
// goroutine has to end after Shutdown; otherwise the bubble fails.
func inBubble(t *testing.T, f func(t *testing.T, c *cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.Cleanup(func() { // runs after the Shutdowns: probes of memberlist go on for a while
			if !onGwyh {
				time.Sleep(5 * time.Minute)
			}
		})
		f(t, c)
	})
}

// inMemoryAndOnSockets runs f once in a bubble and once with nodes that have sockets on loopback. Addresses come from
// node.addr, because sockets have no in-memory network.
func inMemoryAndOnSockets(t *testing.T, f func(t *testing.T, c *cluster)) {
	t.Run("in memory", func(t *testing.T) { inBubble(t, f) })
	t.Run("on sockets", func(t *testing.T) {
		c := newCluster(t)
		c.sockets = true
		f(t, c)
	})
}

// newCluster creates a cluster without nodes. Its log is printed if the test fails.
func newCluster(t *testing.T) *cluster {
	c := &cluster{T: t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.log.String())
		}
	})
	return c
}

// config returns the configuration of a node whose delegates are an app.
func (c *cluster) config(name string) (*memberlist.Config, *app) {
	a := newApp()
	conf := memberlist.DefaultLANConfig()
	conf.Name, conf.BindPort, conf.SecretKey = name, port, bytes.Clone(key)
	if conf.LogOutput = &c.log; c.sockets {
		conf.BindAddr, conf.BindPort, conf.AdvertisePort = "127.0.0.1", 0, 0
	} else {
		conf.Transport = c.net.end(name)
	}
	conf.Delegate, conf.Events, conf.Alive, conf.Merge, conf.Conflict, conf.Ping = a, a, a, a, a, a
	conf.EnableCompression = false
	return conf, a
}

// node creates a node. Each of changes is first applied to its Config and app.
func (c *cluster) node(name string, changes ...func(*memberlist.Config, *app)) *node {
	c.Helper()
	n, err := c.try(name, changes...)
	if err != nil {
		c.Fatal(err)
	}
	return n
}

func (c *cluster) try(name string, changes ...func(*memberlist.Config, *app)) (*node, error) {
	conf, a := c.config(name)
	for _, change := range changes {
		change(conf, a)
	}
	e, _ := conf.Transport.(*end)
	time.Sleep(10 * time.Millisecond) // name conflicts are decided by the millisecond of a node's start
	m, err := memberlist.Create(conf)
	if err != nil {
		return nil, err
	}
	c.Cleanup(func() { _ = m.Shutdown() })
	return &node{Memberlist: m, app: a, end: e, conf: conf}, nil
}

// join makes nodes join the cluster of to.
func (c *cluster) join(to *node, nodes ...*node) {
	c.Helper()
	for _, n := range nodes {
		if reached, err := n.Join([]string{to.addr()}); reached != 1 || err != nil {
			c.Fatalf("Join = %d, %v", reached, err)
		}
	}
}

// addr returns the address that n advertises.
func (n *node) addr() string { return n.LocalNode().Address() }

// names returns the names of the members that n knows.
func (n *node) names() string {
	var list []string
	for _, m := range n.Members() {
		list = append(list, m.Name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// metaOf returns the metadata of a member as n knows it.
func (n *node) metaOf(name string) string {
	for _, m := range n.Members() {
		if m.Name == name {
			return string(m.Meta)
		}
	}
	return "no " + name
}

// soon waits up to a minute of the cluster's time until holds returns true.
func (c *cluster) soon(what string, holds func() bool) {
	c.Helper()
	c.within(time.Minute, what, holds)
}

// within waits until holds returns true. In a bubble, all other events of that instant have happened when it returns.
func (c *cluster) within(limit time.Duration, what string, holds func() bool) {
	c.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !holds(); <-tick.C {
		if time.Since(begin) > limit {
			c.Fatalf("not after %v: %s", limit, what)
		}
	}
	c.rest()
}

// rest waits, in a bubble, for all events of this instant, because separate goroutines call the delegates.
func (c *cluster) rest() {
	if !c.sockets {
		synctest.Wait()
	}
}

// same reports an error if got differs from want.
func (c *cluster) same(what string, got, want any) {
	c.Helper()
	same(c.T, what, got, want)
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%q", got), fmt.Sprintf("%q", want); g != w {
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}

// safeBuffer is a buffer for log lines that is safe for concurrent use.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// panics runs f and returns the value that it panics with, or nil.
func panics(f func()) (with any) {
	defer func() { with = recover() }()
	f()
	return nil
}
