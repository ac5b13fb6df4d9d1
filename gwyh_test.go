package gwyh

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

// recorder is a Delegate and EventDelegate that keeps what it is told.
type recorder struct {
	mu       sync.Mutex
	got      []string
	events   []string
	arrived  chan struct{} // a token for each message
	meta     []byte
	messages [][]byte // what GetBroadcasts gives next
}

func newRecorder() *recorder { return &recorder{arrived: make(chan struct{}, 100_000)} }

func (r *recorder) NodeMeta(int) []byte { return r.meta }
func (r *recorder) NotifyMsg(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, string(b))
	r.arrived <- struct{}{}
}
func (r *recorder) GetBroadcasts(int, int) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.messages
	r.messages = nil
	return out
}
func (r *recorder) LocalState(bool) []byte        { return nil }
func (r *recorder) MergeRemoteState([]byte, bool) {}
func (r *recorder) NotifyJoin(n *Node)            { r.note("join " + n.Name) }
func (r *recorder) NotifyLeave(n *Node)           { r.note("leave " + n.Name) }
func (r *recorder) NotifyUpdate(n *Node)          { r.note("update " + n.Name) }
func (r *recorder) note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, s)
}

func (r *recorder) wait(t testing.TB, n int) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for range n {
		select {
		case <-r.arrived:
		case <-limit:
			t.Fatalf("timed out waiting for %d messages", n)
		}
	}
}

func loopback(t testing.TB, name string, r *recorder) *Memberlist {
	t.Helper()
	c := DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort = name, "127.0.0.1", 0
	c.SecretKey = []byte("sixteen byte key")
	c.LogOutput = io.Discard
	if r != nil {
		c.Delegate, c.Events = r, r
	}
	m, err := Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	return m
}

func TestTwoNodesTalkOverUDP(t *testing.T) {
	ra, rb := newRecorder(), newRecorder()
	a, b := loopback(t, "a", ra), loopback(t, "b", rb)
	begin := time.Now()
	n, err := b.Join([]string{fmt.Sprintf("127.0.0.1:%d", a.LocalNode().Port)})
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	t.Log("joined after", time.Since(begin))
	for i := range 10 {
		if err := b.Broadcast(fmt.Append(nil, "from b ", i)); err != nil {
			t.Fatal(err)
		}
		if err := a.Broadcast(fmt.Append(nil, "from a ", i)); err != nil {
			t.Fatal(err)
		}
	}
	ra.wait(t, 10)
	rb.wait(t, 10)
	t.Log(ra.events, rb.events, ra.got, a.NumMembers())
	if err := b.Leave(time.Second); err != nil {
		t.Fatal(err)
	}
	t.Log(rb.events, time.Since(begin))
}
