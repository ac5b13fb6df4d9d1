package gwyh

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/dispatch"
)

// TestMain fails if a goroutine of the library outlives the tests.
func TestMain(m *testing.M) {
	// The first lookup of a process makes a channel in package net. If a bubble made it, no code outside could use it.
	_, _ = net.LookupHost("localhost")
	code := m.Run()
	if left := leaked(); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines outlive the tests:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leaked waits a while for the library's goroutines to end, and returns the stacks of those that do not.
func leaked() string {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var ours []string
	for range 300 {
		b := make([]byte, 1<<20)
		stacks := strings.Split(string(b[:runtime.Stack(b, true)]), "\n\n")
		ours = slices.DeleteFunc(stacks, func(s string) bool {
			return !strings.Contains(s, "gwyh-go/gwyh.") && !strings.Contains(s, "gwyh-go/gwyh/") || strings.Contains(s, "gwyh.TestMain")
		})
		if len(ours) == 0 {
			return ""
		}
		<-tick.C
	}
	return strings.Join(ours, "\n\n")
}

func TestTwoNodesTalkOverUDP(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			ra, rb := newRecorder(), newRecorder()
			ca, cb := testConfig("a", ra), testConfig("b", rb)
			ca.BindAddr, cb.BindAddr = host, host
			a, b := create(t, ca), create(t, cb)
			join(t, b, a)
			if got := fmt.Sprint(names(a.Members()), names(b.Members())); got != "[a b] [a b]" {
				t.Fatalf("members %s", got)
			}
			for i := range 10 {
				if err := errors.Join(b.Broadcast(fmt.Append(nil, "from b ", i)), a.Broadcast(fmt.Append(nil, "from a ", i))); err != nil {
					t.Fatal(err)
				}
			}
			ra.wait(t, 10)
			rb.wait(t, 10)
		})
	}
}

func TestNodesShowTheirIDsAndRoundTripTimes(t *testing.T) {
	t.Parallel()
	a, b := create(t, testConfig("a", newRecorder())), create(t, testConfig("b", newRecorder()))
	join(t, b, a)
	var of *Node
	until(t, func() bool {
		for _, n := range a.Members() {
			if n.Name == "b" && n.RTT > 0 {
				of = n
			}
		}
		return of != nil
	})
	if of.ID != b.LocalNode().ID || of.ID == a.LocalNode().ID || len(of.ID.String()) != 36 {
		t.Errorf("id %s, b says %s, a has %s", of.ID, b.LocalNode().ID, a.LocalNode().ID)
	}
}

func TestCreateNotifiesOfTheNodeItselfBeforeItReturns(t *testing.T) {
	r := newRecorder()
	r.meta = []byte("meta")
	c := testConfig("a", r)
	m := create(t, c)
	if got := r.told(); !slices.Equal(got, []string{"join a"}) {
		t.Errorf("events %v", got)
	}
	n := m.LocalNode()
	switch {
	case n.Name != "a":
		t.Errorf("n.Name is %q, want %q", n.Name, "a")
	case string(n.Meta) != "meta":
		t.Errorf("string(n.Meta) is %q, want %q", string(n.Meta), "meta")
	case n.Port == 0:
		t.Errorf("the port of the node is %v, want some", n.Port)
	case n.State != StateAlive:
		t.Errorf("the state of the node is %v, want %v", n.State, StateAlive)
	case m.NumMembers() != 1:
		t.Errorf("there are %v members, want 1", m.NumMembers())
	}
	if c.BindPort == 0 || c.AdvertisePort != c.BindPort || c.Keyring == nil {
		t.Errorf("written back: %d, %d, %v", c.BindPort, c.AdvertisePort, c.Keyring)
	}
}

// Programs written for memberlist use the index of a member in a cluster of two; goakt's tests do.
func TestOneselfIsTheLastOfTheMembers(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ms := []*Memberlist{node("a", nil), node("b", nil), node("c", nil), node("d", nil)}
		for i := 1; i < len(ms); i++ {
			join(t, ms[i], ms[0])
			time.Sleep(time.Second)
			for _, m := range ms[:i+1] {
				nodes := m.Members()
				if last := nodes[len(nodes)-1]; len(nodes) != i+1 || last != m.LocalNode() {
					t.Errorf("%d members, of which %s has %s as the last", len(nodes), m.LocalNode().Name, last.Name)
				}
			}
		}
		_ = ms[3].Leave(time.Second)
		if got := names(ms[3].Members()); slices.Contains(got, "d") {
			t.Errorf("after its Leave d has %v", got)
		}
	})
}

func TestCreateNamesThePortInUse(t *testing.T) {
	m := create(t, testConfig("a", nil))
	c := testConfig("b", nil)
	c.BindPort = int(m.LocalNode().Port)
	_, err := Create(c)
	if err == nil || !strings.Contains(err.Error(), m.LocalNode().Address()) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("err = %v", err)
	}
}

func TestCreateRejectsTooMuchMetadata(t *testing.T) {
	r := newRecorder()
	r.meta = make([]byte, MetaMaxSize+1)
	if _, err := Create(testConfig("a", r)); err == nil || !strings.Contains(err.Error(), "513") {
		t.Errorf("err = %v", err)
	}
}

func TestClusterInMemoryHearsEachMessageOnce(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		const n = 12
		var rs []*recorder
		var ms []*Memberlist
		for i := range n {
			rs = append(rs, newRecorder())
			ms = append(ms, node(fmt.Sprint("n", i), rs[i]))
			if i > 0 {
				join(t, ms[i], ms[0])
			}
		}
		time.Sleep(5 * time.Second)
		for i, m := range ms {
			if m.NumMembers() != n {
				t.Fatalf("node %d: %v", i, names(m.Members()))
			}
			if err := m.Broadcast(fmt.Append(nil, "from ", i)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		for i, r := range rs {
			got := r.messages()
			slices.Sort(got)
			if len(got) != n-1 || len(slices.Compact(got)) != n-1 {
				t.Errorf("node %d got %v", i, got)
			}
		}
	})
}

func TestLeaveAndDeathAreDistinguished(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		var states []string
		r := newRecorder()
		a, b, c := node("a", r), node("b", nil), node("c", nil)
		r.onJoin = func(*Node) {}
		join(t, b, a)
		join(t, c, a)
		time.Sleep(time.Second)
		if err := b.Leave(time.Second); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(names(b.Members())); got != "[a c]" {
			t.Errorf("the one that left still has %s", got)
		}
		_ = b.Shutdown()
		time.Sleep(100 * time.Millisecond)
		states = append(states, fmt.Sprint(names(a.Members())))
		_ = c.Shutdown()
		time.Sleep(20 * time.Second)
		states = append(states, fmt.Sprint(names(a.Members())))
		if got := fmt.Sprint(states); got != "[[a c] [a]]" {
			t.Errorf("members after the leave and after the crash: %s", got)
		}
		if got := r.told(); !slices.Equal(got, []string{"join a", "join b", "join c", "leave b", "leave c"}) {
			t.Errorf("events %v", got)
		}
	})
}

func TestNodeThatLeftMayJoinAgain(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ra, rb := newRecorder(), newRecorder()
		a, b := node("a", ra), node("b", rb)
		join(t, b, a)
		if err := b.Leave(0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		join(t, b, a)
		time.Sleep(time.Second)
		if fmt.Sprint(names(a.Members()), names(b.Members())) != "[a b] [a b]" {
			t.Errorf("members %v %v", names(a.Members()), names(b.Members()))
		}
		if got := rb.told(); !slices.Equal(got, []string{"join b", "join a", "leave b", "join b"}) {
			t.Errorf("b was told %v", got)
		}
	})
}

func TestDelegateMayCallEverything(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ra, rb := newRecorder(), newRecorder()
		a, b := node("a", ra), node("b", rb)
		done := make(chan error, 1)
		ra.onMsg = func(msg []byte) {
			if string(msg) != "go" {
				return
			}
			_, err := a.Join([]string{b.LocalNode().Address()})
			err = errors.Join(err, a.Broadcast([]byte("from a delegate")), a.Leave(time.Second))
			if a.NumMembers() != 1 || len(a.Members()) != 1 || a.LocalNode() == nil {
				err = errors.Join(err, fmt.Errorf("members %v", names(a.Members())))
			}
			done <- err
		}
		join(t, b, a)
		if err := b.Broadcast([]byte("go")); err != nil {
			t.Fatal(err)
		}
		// Join and Leave inside a delegate cannot wait for the dispatcher, but they return eventually.
		if err := <-done; err != nil && !strings.Contains(err.Error(), "leave: not done") {
			t.Error(err)
		}
		rb.wait(t, 1)
	})
}

func TestQueuedBroadcastsAreSentOnceEach(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ra, rb := newRecorder(), newRecorder()
		a, b := node("a", ra), node("b", rb)
		for i := range 20 {
			ra.queue.QueueBroadcast(simple(fmt.Append(nil, "early ", i)))
		}
		time.Sleep(10 * time.Second)
		join(t, b, a)
		for i := range 80 {
			ra.queue.QueueBroadcast(simple(fmt.Append(nil, "late ", i)))
		}
		time.Sleep(5 * time.Second)
		got := rb.messages()
		slices.Sort(got)
		if len(got) != 100 || len(slices.Compact(got)) != 100 {
			t.Errorf("got %d messages, %d different", len(got), len(slices.Compact(got)))
		}
		if n := ra.queue.NumQueued(); n != 0 {
			t.Errorf("%d still queued", n)
		}
	})
}

func TestQueueDrainsWithoutOtherNodes(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		r := newRecorder()
		node("alone", r)
		for i := range 50 {
			r.queue.QueueBroadcast(simple(fmt.Append(nil, "message ", i)))
		}
		time.Sleep(20 * time.Second)
		if n := r.queue.NumQueued(); n != 50 {
			t.Errorf("%d of 50 queued after 20 s alone: a Join may still come", n)
		}
		time.Sleep(40 * time.Second)
		if n := r.queue.NumQueued(); n != 0 {
			t.Errorf("%d queued after a minute alone", n)
		}
	})
}

func TestSameBytesInTurnArriveInTurn(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ra, rb := newRecorder(), newRecorder()
		ra.queue.NumNodes = func() int { return 0 } // each is returned once
		a, b := node("a", ra), node("b", rb)
		join(t, b, a)
		for _, s := range []string{"A", "B", "A"} {
			ra.queue.QueueBroadcast(simple(s))
			time.Sleep(time.Second)
		}
		if got := fmt.Sprint(rb.messages()); got != "[A B A]" {
			t.Errorf("got %s", got)
		}
	})
}

func TestSlowDelegateLosesMessagesNotEvents(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ra := newRecorder()
		release := make(chan struct{})
		ra.onMsg = func([]byte) { <-release }
		a, b := node("a", ra), node("b", nil)
		join(t, b, a)
		const sent = dispatch.MessagesMax + 500
		for i := range sent {
			for errors.Is(b.Broadcast(fmt.Append(nil, i)), ErrQueueFull) {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		c := node("c", nil)
		join(t, c, a)
		time.Sleep(time.Second)
		close(release)
		time.Sleep(time.Second)
		got := len(ra.messages())
		if got < dispatch.MessagesMax || got > dispatch.MessagesMax+1 || uint64(sent-got) != a.Stats().Dropped {
			t.Errorf("%d of %d messages delivered, %d counted as dropped", got, sent, a.Stats().Dropped)
		}
		if told := ra.told(); !slices.Equal(told, []string{"join a", "join b", "join c"}) {
			t.Errorf("events %v", told)
		}
	})
}

func TestShutdownAndLeaveInAnyOrderEnd(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		a, b := node("a", newRecorder()), node("b", newRecorder())
		join(t, b, a)
		var g sync.WaitGroup
		for range 3 {
			g.Go(func() { _ = b.Leave(time.Second) })
			g.Go(func() { _ = b.Shutdown() })
			g.Go(func() { _, _ = b.Join([]string{a.LocalNode().Address()}) })
			g.Go(func() { _ = b.Broadcast([]byte("x")) })
		}
		g.Wait()
		if err := b.Leave(time.Second); err != nil {
			t.Errorf("Leave after Shutdown: %v", err)
		}
		if err := b.Broadcast([]byte("x")); !errors.Is(err, ErrShutdown) {
			t.Errorf("Broadcast after Shutdown: %v", err)
		}
		if _, err := b.Join([]string{a.LocalNode().Address()}); !errors.Is(err, ErrShutdown) {
			t.Errorf("Join after Shutdown: %v", err)
		}
		if b.NumMembers() == 0 || b.LocalNode().Name != "b" {
			t.Error("reading after Shutdown")
		}
	})
}

func TestShutdownWaitsForNoDelegateInProgress(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ra := newRecorder()
		release := make(chan struct{})
		ra.onMsg = func([]byte) { <-release }
		a, b := node("a", ra), node("b", nil)
		join(t, b, a)
		for range 5 {
			_ = b.Broadcast([]byte("x"))
		}
		time.Sleep(time.Second)
		if err := a.Shutdown(); err != nil {
			t.Fatal(err)
		}
		close(release)
		time.Sleep(time.Second)
		if got := len(ra.messages()); got != 1 {
			t.Errorf("%d messages delivered, of which 4 after Shutdown", got)
		}
	})
}

func TestViewsHandedOutNeverChange(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		a := node("a", nil)
		before := a.Members()
		join(t, node("b", nil), a)
		time.Sleep(time.Second)
		after := a.Members()
		if len(before) != 1 || len(after) != 2 {
			t.Errorf("%d, then %d members", len(before), len(after))
		}
		after[0] = nil
		if slices.Contains(a.Members(), nil) {
			t.Error("the caller's slice is ours")
		}
	})
}

func TestBroadcastTooLargeSaysSo(t *testing.T) {
	m := create(t, testConfig("a", nil))
	err := m.Broadcast(make([]byte, 16<<20+1))
	large, ok := errors.AsType[*TooLargeError](err)
	if !ok || large.Size != 16<<20+1 || large.Max != 16<<20 {
		t.Errorf("err = %v", err)
	}
}

func TestOneTransportServesOneNode(t *testing.T) {
	tr, err := NewNetTransport(&NetTransportConfig{BindAddrs: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig("a", nil)
	c.Transport = tr
	create(t, c)
	c = testConfig("b", nil)
	c.Transport = tr
	if _, err := Create(c); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("err = %v", err)
	}
}

// A hundred nodes on real sockets join through one seed. The demo does the same with time limits.
func TestHundredRealNodesHearAllBroadcastsOnce(t *testing.T) {
	n, messages := 100, 200
	if raceEnabled || testing.Short() { // the race detector is slow, and more nodes do not help it
		n, messages = 30, 60
	}
	rs, ms := make([]*recorder, n), make([]*Memberlist, n)
	for i := range n {
		rs[i] = newRecorder()
		ms[i] = create(t, testConfig(fmt.Sprint("n", i), rs[i]))
	}
	var g sync.WaitGroup
	for _, m := range ms[1:] {
		g.Go(func() { join(t, m, ms[0]) })
	}
	g.Wait()
	until(t, func() bool {
		for _, m := range ms {
			if m.NumMembers() != n || m.Stats().Subscriptions < 5 {
				return false
			}
		}
		return true
	})
	payload := strings.Repeat("x", 250)
	for i := range messages {
		if err := ms[i*37%n].Broadcast(fmt.Append(nil, payload, i)); err != nil {
			t.Fatal(err)
		}
		rs[(i*37+1)%n].wait(t, 1)
	}
	for i, r := range rs {
		until(t, func() bool { return len(r.messages()) >= messages*(n-1)/n })
		got := r.messages()
		slices.Sort(got)
		if len(got) != messages-2 || len(slices.Compact(got)) != messages-2 {
			t.Errorf("node %d: %d messages, %d different, want %d", i, len(got), len(slices.Compact(got)), messages-2)
		}
	}
}

var _ net.Addr = (*MockAddress)(nil)
