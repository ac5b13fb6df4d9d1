package gwyh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// keeper is an application with a state, which votes on other nodes.
type keeper struct {
	*recorder
	mu     sync.Mutex
	calls  []string // in order, without NotifyMsg and GetBroadcasts
	state  []byte
	merged [][]byte
	merge  error
	alive  map[string]error
	inside func(call string) // runs inside each call
}

func newKeeper(state string) *keeper {
	k := &keeper{recorder: newRecorder(), state: []byte(state)}
	k.recorder.onJoin = func(n *Node) { k.called("NotifyJoin " + n.Name) }
	return k
}

func (k *keeper) called(call string) {
	k.mu.Lock()
	k.calls = append(k.calls, call)
	inside := k.inside
	k.mu.Unlock()
	if inside != nil {
		inside(call)
	}
}

func (k *keeper) LocalState(join bool) []byte {
	k.called(fmt.Sprintf("LocalState(%v)", join))
	return k.state
}

func (k *keeper) MergeRemoteState(b []byte, join bool) {
	k.called(fmt.Sprintf("MergeRemoteState(%v)", join))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.merged = append(k.merged, b)
}

func (k *keeper) NotifyMerge(peers []*Node) error {
	k.called("NotifyMerge " + strings.Join(names(peers), " "))
	return k.merge
}

func (k *keeper) NotifyAlive(n *Node) error {
	k.called("NotifyAlive " + n.Name)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.alive[n.Name]
}

func (k *keeper) log() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.calls)
}

func (k *keeper) states() (all []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range k.merged {
		all = append(all, string(b))
	}
	return all
}

// safeBuffer receives log lines from many goroutines.
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

// keepers runs f with a network in memory. If votes is true, node returns a node that asks its application about others.
func keepers(t *testing.T, f func(t *testing.T, node func(name string, k *keeper, votes bool) *Memberlist)) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		f(t, func(name string, k *keeper, votes bool) *Memberlist {
			c := testConfig(name, k.recorder)
			c.Transport, c.Delegate, c.PushPullInterval = network.NewTransport(name), k, 0
			if votes {
				c.Merge, c.Alive = k, k
			}
			return create(t, c)
		})
	})
}

func TestJoinAsksTheApplicationInOrderBeforeItReturns(t *testing.T) {
	keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
		ka, kb := newKeeper("state of a"), newKeeper("state of b")
		a, b := node("a", ka, true), node("b", kb, true)
		join(t, b, a)
		joined := kb.log()
		synctest.Wait()
		told := slices.Index(joined, "NotifyJoin a")
		if told < 0 {
			t.Fatalf("NotifyJoin did not precede the end of Join: %q", joined)
		}
		want := []string{"NotifyAlive b", "NotifyJoin b", "LocalState(true)", "NotifyMerge a", "NotifyAlive a", "MergeRemoteState(true)"}
		if got := slices.Delete(slices.Clone(joined), told, told+1); !slices.Equal(got, want) {
			t.Errorf("b, which joined: %q, want %q", got, want)
		}
		got := slices.DeleteFunc(ka.log(), func(s string) bool { return s == "NotifyJoin b" })
		want = []string{"NotifyAlive a", "NotifyJoin a", "NotifyMerge b", "NotifyAlive b", "LocalState(true)", "MergeRemoteState(true)"}
		slices.Sort(got[3:5]) // the push and the joining node's entry may arrive in either order
		slices.Sort(want[3:5])
		if !slices.Equal(got, want) {
			t.Errorf("a: %q, want %q", got, want)
		}
		if fmt.Sprint(ka.states(), kb.states()) != "[state of b] [state of a]" {
			t.Errorf("merged %q, %q", ka.states(), kb.states())
		}
	})
}

func TestStateIsMergedAfterTheEventDelegateHeardOfItsNode(t *testing.T) {
	keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
		ka, kb := newKeeper("state of a"), newKeeper("state of b")
		for _, k := range []*keeper{ka, kb} { // a slow NotifyJoin returns before the state arrives
			k.recorder.onJoin = func(n *Node) {
				time.Sleep(500 * time.Millisecond)
				k.called("NotifyJoin " + n.Name)
			}
		}
		a, b := node("a", ka, false), node("b", kb, false)
		join(t, b, a)
		time.Sleep(5 * time.Second)
		for other, k := range map[string]*keeper{"b": ka, "a": kb} {
			calls := k.log()
			told, merged := slices.Index(calls, "NotifyJoin "+other), slices.Index(calls, "MergeRemoteState(true)")
			if told < 0 || merged < told {
				t.Errorf("the calls beside %s: %q", other, calls)
			}
		}
	})
}

func TestJoinInsideAnEventDelegateWaitsForItOnlyOnce(t *testing.T) {
	keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
		k := newKeeper("state")
		a, b := node("a", k, false), node("b", newKeeper("state of b"), false)
		var others []string
		for i := range 10 {
			others = append(others, node(fmt.Sprint("n", i), newKeeper(fmt.Sprint("state of ", i)), false).LocalNode().Address())
		}
		took := make(chan time.Duration, 1)
		k.recorder.onJoin = func(n *Node) {
			if n.Name == "b" {
				begin := time.Now()
				if reached, err := a.Join(others); reached != len(others) || err != nil {
					t.Errorf("Join = %d, %v", reached, err)
				}
				took <- time.Since(begin)
			}
		}
		join(t, b, a)
		if d := <-took; d > 2*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestStatesGoRoundWithPushPullInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		ks := []*keeper{newKeeper("one"), newKeeper("two")}
		var ms []*Memberlist
		for i, k := range ks {
			c := testConfig(fmt.Sprint("n", i), k.recorder)
			c.Transport, c.Delegate, c.PushPullInterval = network.NewTransport(c.Name), k, 5*time.Second
			ms = append(ms, create(t, c))
		}
		join(t, ms[1], ms[0])
		time.Sleep(21 * time.Second)
		for i, k := range ks {
			calls := k.log()
			switch n := len(k.states()); {
			case n < 6:
				t.Errorf("node %d merged %d states, want at least 6", i, n)
			case n > 12:
				t.Errorf("node %d merged %d states, want at most 12", i, n)
			case !slices.Contains(calls, "LocalState(false)"):
				t.Errorf("node %d merged %d states: calls lacks %q:\n%v", i, n, "LocalState(false)", calls)
			case !slices.Contains(calls, "MergeRemoteState(false)"):
				t.Errorf("node %d merged %d states: calls lacks %q:\n%v", i, n, "MergeRemoteState(false)", calls)
			}
		}
	})
}

func TestStatesOfOneAndSixteenMebibytes(t *testing.T) {
	for _, size := range []int{1 << 20, 16 << 20} {
		if size > 1<<20 && raceEnabled {
			continue
		}
		keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
			ka, kb := newKeeper(""), newKeeper("")
			ka.state, kb.state = bytes.Repeat([]byte("a"), size), []byte("small")
			a, b := node("a", ka, false), node("b", kb, false)
			join(t, b, a)
			if len(kb.merged) != 1 || !bytes.Equal(kb.merged[0], ka.state) || fmt.Sprint(ka.states()) != "[small]" {
				t.Errorf("%d bytes: b merged %d states, a merged %q", size, len(kb.merged), ka.states())
			}
		})
	}
}

func TestJoinNamesTheSizeOfAStateThatIsTooLargeAndTheLimit(t *testing.T) {
	const size = 17 << 20
	for _, large := range []string{"a", "b"} {
		keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
			ks := map[string]*keeper{"a": newKeeper("of a"), "b": newKeeper("of b")}
			ks[large].state = make([]byte, size)
			a, b := node("a", ks["a"], false), node("b", ks["b"], false)
			n, err := b.Join([]string{a.LocalNode().Address()})
			of, ok := errors.AsType[*TooLargeError](err)
			switch {
			case n != 0:
				t.Errorf("state of %s too large: n is %v, want 0", large, n)
			case !ok:
				t.Errorf("state of %s too large: ok is false", large)
			case *of != (TooLargeError{Size: size, Max: 16 << 20}):
				t.Errorf("state of %s too large: *of is %v, want %v", large, *of, (TooLargeError{Size: size, Max: 16 << 20}))
			case !strings.Contains(err.Error(), map[string]string{"a": "the other", "b": "this"}[large]):
				t.Errorf("state of %s too large: err lacks %q:\n%v", large, map[string]string{"a": "the other", "b": "this"}[large], err)
			}
		})
	}
}

func TestJoinOfANodeWithoutAStateDoesNotWaitForOne(t *testing.T) {
	keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
		ka, kb := newKeeper(""), newKeeper("state of b")
		a, b := node("a", ka, false), node("b", kb, false)
		begin := time.Now()
		join(t, b, a)
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		synctest.Wait()
		if len(kb.merged) != 0 || fmt.Sprint(ka.states()) != "[state of b]" {
			t.Errorf("merged %q, %q", ka.states(), kb.states())
		}
	})
}

func TestVetoOfAMergeFailsTheJoin(t *testing.T) {
	no := errors.New("not with them")
	for _, at := range []string{"a", "b"} {
		keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
			ks := map[string]*keeper{"a": newKeeper("x"), "b": newKeeper("y")}
			ks[at].merge = no
			a, b := node("a", ks["a"], at == "a"), node("b", ks["b"], at == "b")
			n, err := b.Join([]string{a.LocalNode().Address()})
			switch {
			case n != 0:
				t.Errorf("veto of %s: n is %v, want 0", at, n)
			case err == nil:
				t.Errorf("veto of %s: there is no error", at)
			case !strings.Contains(err.Error(), no.Error()):
				t.Errorf("veto of %s: err lacks %q:\n%v", at, no.Error(), err)
			case at == "b" && !errors.Is(err, no):
				t.Errorf("veto of %s: Join = %d, %v", at, n, err)
			}
			time.Sleep(10 * time.Second)
			if a.NumMembers() != 1 || b.NumMembers() != 1 || len(ks["a"].states())+len(ks["b"].states()) != 0 {
				t.Errorf("veto of %s: members %v, %v", at, names(a.Members()), names(b.Members()))
			}
		})
	}
}

func TestVetoOfANodeKeepsItOutUntilItIsLifted(t *testing.T) {
	keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
		ka, kb := newKeeper("x"), newKeeper("y")
		ka.alive = map[string]error{"b": errors.New("not b")}
		a, b := node("a", ka, true), node("b", kb, false)
		_, _ = b.Join([]string{a.LocalNode().Address()})
		time.Sleep(time.Minute)
		if got := fmt.Sprint(names(a.Members()), ka.told()); got != "[a] [join a]" {
			t.Errorf("with the veto: %s", got)
		}
		ka.mu.Lock()
		ka.alive = nil
		ka.mu.Unlock()
		join(t, b, a)
		time.Sleep(time.Second)
		if got := fmt.Sprint(names(a.Members()), ka.told()); got != "[a b] [join a join b]" {
			t.Errorf("after it: %s", got)
		}
	})
}

func TestJoinFailsWithTheReasonIfOneSideDoesNotTakeTheOtherIn(t *testing.T) {
	no := errors.New("not that one")
	refuses := map[string]func(at string, c *Config, k *keeper){
		"MetaMax allows 512": func(at string, c *Config, k *keeper) {
			if c.Name != at {
				c.MetaMax, k.meta = 1000, make([]byte, 1000)
			}
		},
		"CIDRsAllowed": func(at string, c *Config, _ *keeper) {
			if c.Name == at {
				c.CIDRsAllowed, _ = ParseCIDRs([]string{"10.0.0.0/8"})
			}
		},
		no.Error(): func(at string, c *Config, k *keeper) {
			if c.Name == at {
				c.Alive, k.alive = k, map[string]error{"a": no, "b": no}
				delete(k.alive, at)
			}
		},
	}
	for reason, refuse := range refuses {
		for _, at := range []string{"a", "b"} {
			synctest.Test(t, func(t *testing.T) {
				var network MockNetwork
				var log safeBuffer
				node := func(name string) *Memberlist {
					k := newKeeper("state of " + name)
					c := testConfig(name, k.recorder)
					c.Transport, c.Delegate = network.NewTransport(name), k
					if refuse(at, c, k); name == at {
						c.LogOutput = &log
					}
					return create(t, c)
				}
				a, b := node("a"), node("b")
				n, err := b.Join([]string{a.LocalNode().Address()})
				if n != 0 || err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("%s at %s: Join = %d, %v", reason, at, n, err)
				}
				time.Sleep(time.Minute)
				if got := fmt.Sprint(names(a.Members()), names(b.Members())); got != "[a] [b]" {
					t.Errorf("%s at %s: members %s", reason, at, got)
				}
				if lines := log.String(); !strings.Contains(lines, "[WARN]") || !strings.Contains(lines, reason) {
					t.Errorf("%s at %s, which logs %q", reason, at, lines)
				}
			})
		}
	}
}

func TestIncompatibleDelegateVersionsFailTheJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		node := func(name string, version uint8) *Memberlist {
			c := testConfig(name, nil)
			c.Transport = network.NewTransport(name)
			c.DelegateProtocolMin, c.DelegateProtocolMax, c.DelegateProtocolVersion = version, version, version
			return create(t, c)
		}
		a, b, c := node("a", 1), node("b", 2), node("c", 1)
		if n, err := b.Join([]string{a.LocalNode().Address()}); n != 0 || err == nil || !strings.Contains(err.Error(), "versions") {
			t.Errorf("Join = %d, %v", n, err)
		}
		join(t, c, a)
		if got := fmt.Sprint(names(a.Members()), names(b.Members())); got != "[a c] [b]" {
			t.Errorf("members %s", got)
		}
	})
}

func TestJoinWorksInsideEveryDelegateMethod(t *testing.T) {
	for _, call := range []string{"LocalState(true)", "LocalState(false)", "MergeRemoteState(true)", "MergeRemoteState(false)",
		"NotifyMerge b", "NotifyAlive b", "NotifyJoin b"} {
		synctest.Test(t, func(t *testing.T) {
			var network MockNetwork
			var ms []*Memberlist
			k := newKeeper("state of a")
			for i, name := range []string{"a", "b", "c"} {
				own := newKeeper("state of " + name)
				if i == 0 {
					own = k
				}
				c := testConfig(name, own.recorder)
				c.Transport, c.Delegate, c.PushPullInterval = network.NewTransport(name), own, 2*time.Second
				c.Merge, c.Alive = own, own
				ms = append(ms, create(t, c))
			}
			a, b, c := ms[0], ms[1], ms[2]
			var once atomic.Bool
			took := make(chan time.Duration, 1)
			k.mu.Lock()
			k.inside = func(s string) {
				if s != call || once.Swap(true) {
					return
				}
				begin := time.Now()
				n, err := a.Join([]string{c.LocalNode().Address()})
				if n != 1 || err != nil {
					t.Errorf("inside %s: Join = %d, %v", call, n, err)
				}
				if err := errors.Join(a.UpdateNode(time.Second), a.Broadcast([]byte("x"))); err != nil {
					t.Errorf("inside %s: %v", call, err)
				}
				took <- time.Since(begin)
			}
			k.mu.Unlock()
			join(t, b, a)
			select {
			case d := <-took:
				if d > 5*time.Second {
					t.Errorf("inside %s: took %v", call, d)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s was not called, or hangs: %q", call, k.log())
			}
			time.Sleep(5 * time.Second)
			for _, m := range ms {
				if m.NumMembers() != 3 {
					t.Errorf("inside %s: %s knows %v", call, m.LocalNode().Name, names(m.Members()))
				}
			}
		})
	}
}

// Each node answers such questions in a single goroutine, which waits there for the answer of the other node.
func TestTwoNodesThatJoinEachOtherInsideADelegateDoNotWaitInVain(t *testing.T) {
	keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
		ka, kb := newKeeper("state of a"), newKeeper("state of b")
		a, b, c := node("a", ka, false), node("b", kb, false), node("c", newKeeper(""), false)
		done := make(chan time.Duration, 2)
		cross := func(k *keeper, m, other *Memberlist) {
			var once atomic.Bool
			k.inside = func(s string) {
				if s == "LocalState(true)" && !once.Swap(true) {
					begin := time.Now()
					join(t, m, other)
					done <- time.Since(begin)
				}
			}
		}
		cross(ka, a, b)
		cross(kb, b, a)
		var g sync.WaitGroup
		for _, m := range []*Memberlist{a, b} { // c's Join makes each answer in its puller
			g.Go(func() { join(t, c, m) })
		}
		g.Wait()
		for range 2 {
			if d := <-done; d > 5*time.Second {
				t.Errorf("took %v", d)
			}
		}
		if fmt.Sprint(names(a.Members()), names(b.Members())) != "[a b c] [a b c]" {
			t.Errorf("members %v, %v", names(a.Members()), names(b.Members()))
		}
	})
}

// The bubble fails if a goroutine is left.
func TestShutdownDuringAnExchangeLeavesNothing(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		for _, which := range []int{0, 1} {
			keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
				ka, kb := newKeeper(""), newKeeper("")
				ka.state, kb.state = bytes.Repeat([]byte("a"), 1<<20), bytes.Repeat([]byte("b"), 1<<20)
				ms := []*Memberlist{node("a", ka, true), node("b", kb, true)}
				ended := make(chan error, 1)
				go func() {
					_, err := ms[1].Join([]string{ms[0].LocalNode().Address()})
					ended <- err
				}()
				time.Sleep(after)
				_ = ms[which].Shutdown()
				before := len(ms[which].config.Delegate.(*keeper).log())
				if err := <-ended; err == nil && after < time.Millisecond && which == 1 {
					t.Error("Join of a node that was shut down succeeded")
				}
				_ = ms[1-which].Shutdown()
				time.Sleep(time.Second)
				if got := len(ms[which].config.Delegate.(*keeper).log()); got > before+1 { // one call may have been starting
					t.Errorf("%d calls after Shutdown", got-before)
				}
			})
		}
	}
}

func TestUpdateNodeSpreadsMetadataAndNotifies(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ra, rb := newRecorder(), newRecorder()
		a, b := node("a", ra), node("b", rb)
		join(t, b, a)
		synctest.Wait() // otherwise the update would merge with the pending join at a
		rb.meta = []byte("new")
		if err := b.UpdateNode(time.Second); err != nil {
			t.Fatal(err)
		}
		if got := rb.told(); string(b.LocalNode().Meta) != "new" || got[len(got)-1] != "update b" {
			t.Errorf("at b itself: %q, told %q", b.LocalNode().Meta, got)
		}
		time.Sleep(50 * time.Millisecond)
		for _, n := range a.Members() {
			if n.Name == "b" && string(n.Meta) != "new" {
				t.Errorf("a has %q", n.Meta)
			}
		}
		if got := ra.told(); got[len(got)-1] != "update b" {
			t.Errorf("a was told %q", got)
		}
		rb.meta = make([]byte, MetaMaxSize+1)
		if err := b.UpdateNode(time.Second); err == nil || !strings.Contains(err.Error(), "513") {
			t.Errorf("too long: %v", err)
		}
		_ = b.Shutdown()
		rb.meta = nil
		if err := b.UpdateNode(time.Second); !errors.Is(err, ErrShutdown) {
			t.Errorf("after Shutdown: %v", err)
		}
	})
}

func TestMetaWrittenIntoLocalNodeIsTheNodesFromItsNextJoinOn(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		ra := newRecorder()
		a, b := node("a", ra), node("b", nil)
		ra.onJoin = func(n *Node) {
			if n.Name == "b" && string(n.Meta) != "written" {
				t.Errorf("a was told of b with %q", n.Meta)
			}
		}
		b.LocalNode().Meta = []byte("written")
		join(t, b, a)
		if got := b.LocalNode().Meta; a.NumMembers() != 2 || string(got) != "written" {
			t.Errorf("%d members, b has %q", a.NumMembers(), got)
		}
		before := b.LocalNode()
		join(t, b, a)
		if b.LocalNode() != before {
			t.Error("a Join without new metadata told it anew")
		}
		b.LocalNode().Meta = make([]byte, MetaMaxSize+1)
		if _, err := b.Join([]string{a.LocalNode().Address()}); err == nil || !strings.Contains(err.Error(), "513") {
			t.Errorf("too long: %v", err)
		}
	})
}

func TestMetaWrittenIntoALocalNodeOfBeforeIsNotTheNodes(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		rb := newRecorder()
		a, b := node("a", nil), node("b", rb)
		b.LocalNode().Meta = []byte("written")
		rb.meta = []byte("new")
		if err := b.UpdateNode(time.Second); err != nil {
			t.Fatal(err)
		}
		join(t, b, a)
		if got := b.LocalNode().Meta; string(got) != "new" {
			t.Errorf("b has %q", got)
		}
	})
}

func TestMetaMaxAllowsMoreMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		var ms []*Memberlist
		for i := range 3 {
			r := newRecorder()
			r.meta = bytes.Repeat([]byte{byte(i)}, 1000)
			c := testConfig(fmt.Sprint("n", i), r)
			c.Transport, c.MetaMax = network.NewTransport(c.Name), 1000
			ms = append(ms, create(t, c))
			if i > 0 {
				join(t, ms[i], ms[0])
			}
		}
		time.Sleep(time.Second)
		for _, m := range ms {
			for _, n := range m.Members() {
				if len(n.Meta) != 1000 {
					t.Errorf("%s has %d bytes of %s", m.LocalNode().Name, len(n.Meta), n.Name)
				}
			}
			if m.NumMembers() != 3 {
				t.Errorf("%v", names(m.Members()))
			}
		}
	})
}

func TestJoinContextWaitsForANodeThatComesLaterAndEndsWhenCanceled(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		a := node("a", nil)
		var network = a.config.Transport.(*MockTransport).net
		ctx, cancel := context.WithCancel(t.Context())
		type result struct {
			n   int
			err error
		}
		ended := make(chan result, 2)
		go func() {
			n, err := a.JoinContext(ctx, []string{"127.0.0.1:2"})
			ended <- result{n, err}
		}()
		time.Sleep(time.Minute)
		c := testConfig("late", nil)
		c.Transport = network.NewTransport("late")
		late := create(t, c)
		if got := late.LocalNode().Address(); got != "127.0.0.1:2" {
			t.Fatal(got)
		}
		if r := <-ended; r.n != 1 || r.err != nil {
			t.Errorf("%+v", r)
		}
		go func() {
			n, err := a.JoinContext(ctx, []string{"127.0.0.1:9", late.LocalNode().Address(), late.LocalNode().Address()})
			ended <- result{n, err}
		}()
		time.Sleep(30 * time.Second)
		cancel()
		begin := time.Now()
		if r := <-ended; r.n != 2 || r.err != nil || time.Since(begin) > 2*time.Second {
			t.Errorf("%+v after %v", r, time.Since(begin))
		}
		if n, err := a.JoinContext(ctx, []string{"127.0.0.1:9"}); n != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that is over: %d, %v", n, err)
		}
	})
}
