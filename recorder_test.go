package gwyh

import (
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a Delegate and EventDelegate that records its calls.
type recorder struct {
	mu      sync.Mutex
	got     []string
	events  []string
	arrived chan struct{} // receives a token for each message
	meta    []byte
	queue   TransmitLimitedQueue
	onMsg   func([]byte)
	onJoin  func(*Node)
}

func newRecorder() *recorder {
	r := &recorder{arrived: make(chan struct{}, 1<<20)}
	r.queue.NumNodes, r.queue.RetransmitMult = func() int { return 100 }, 4
	return r
}

func (r *recorder) NodeMeta(int) []byte { return r.meta }
func (r *recorder) NotifyMsg(b []byte) {
	if r.onMsg != nil {
		r.onMsg(b)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, string(b))
	r.arrived <- struct{}{}
}
func (r *recorder) GetBroadcasts(overhead, limit int) [][]byte {
	return r.queue.GetBroadcasts(overhead, limit)
}
func (r *recorder) LocalState(bool) []byte        { return nil }
func (r *recorder) MergeRemoteState([]byte, bool) {}
func (r *recorder) NotifyJoin(n *Node) {
	if r.onJoin != nil {
		r.onJoin(n)
	}
	r.note("join " + n.Name)
}
func (r *recorder) NotifyLeave(n *Node)  { r.note("leave " + n.Name) }
func (r *recorder) NotifyUpdate(n *Node) { r.note("update " + n.Name) }
func (r *recorder) note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, s)
}

func (r *recorder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = nil
}

func (r *recorder) messages() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *recorder) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// wait waits for n messages.
func (r *recorder) wait(t testing.TB, n int) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for range n {
		select {
		case <-r.arrived:
		case <-limit:
			t.Fatalf("timed out waiting for %d messages, got %v", n, r.messages())
		}
	}
}

// simple is a queued message.
type simple []byte

func (s simple) Invalidates(Broadcast) bool { return false }
func (s simple) Message() []byte            { return s }
func (s simple) Finished()                  {}

func testConfig(name string, r *recorder) *Config {
	c := DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort = name, "127.0.0.1", 0
	c.SecretKey = []byte("sixteen byte key")
	c.LogOutput = io.Discard
	if r != nil {
		c.Delegate, c.Events = r, r
	}
	return c
}

func create(t testing.TB, c *Config) *Memberlist {
	t.Helper()
	m, err := Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	return m
}

func join(t testing.TB, m, to *Memberlist) {
	t.Helper()
	if n, err := m.Join([]string{to.LocalNode().Address()}); n != 1 || err != nil {
		t.Fatalf("Join = %d, %v", n, err)
	}
}

func names(nodes []*Node) (list []string) {
	for _, n := range nodes {
		list = append(list, n.Name)
	}
	slices.Sort(list)
	return list
}

// bubble runs f with a network in memory and a fake clock.
func bubble(t *testing.T, f func(t *testing.T, node func(name string, r *recorder) *Memberlist)) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		f(t, func(name string, r *recorder) *Memberlist {
			c := testConfig(name, r)
			c.Transport = network.NewTransport(name)
			return create(t, c)
		})
	})
}

// until waits for a condition.
func until(t testing.TB, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(2 * time.Minute); !done(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("timed out")
		}
	}
}
