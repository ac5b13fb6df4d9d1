package gwyh

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestJoinWaitsForNothingButTheNetwork(t *testing.T) {
	// No time passes in the bubble while a datagram is in transit or a delegate runs. So the duration of a Join is the
	// time for which it waits for something else.
	for _, votes := range []bool{false, true} {
		for _, size := range []int{1, 2, 3, 10} {
			t.Run(fmt.Sprintf("%d nodes, votes %v", size, votes), func(t *testing.T) {
				keepers(t, func(t *testing.T, node func(string, *keeper, bool) *Memberlist) {
					first := node("first", newKeeper("state"), votes)
					for i := range size {
						m := node(fmt.Sprint("n", i), newKeeper("state"), votes)
						begin := time.Now()
						join(t, m, first)
						if took := time.Since(begin); took > 0 {
							t.Errorf("Join of node %d waited for %v", i+1, took)
						}
						if m.Stats().Links == 0 {
							t.Errorf("node %d has no link after its Join", i+1)
						}
						time.Sleep(10 * time.Second)
					}
				})
			})
		}
	}
}

// BenchmarkJoinOnLoopback measures the Join of a new node, with a Delegate, to a cluster of one.
func BenchmarkJoinOnLoopback(b *testing.B) {
	var took time.Duration
	n := 0
	for ; b.Loop(); n++ {
		a, m := create(b, testConfig("a", newRecorder())), create(b, testConfig("b", newRecorder()))
		begin := time.Now()
		join(b, m, a)
		took += time.Since(begin)
		_, _ = m.Shutdown(), a.Shutdown()
	}
	b.ReportMetric(float64(took.Microseconds())/float64(n)/1000, "ms/join")
}

func TestJoinOverASlowTransportEndsInTime(t *testing.T) {
	// Each write takes 200 ms, and the writes to one node are sequential. The application's vote needs its own round
	// trip.
	for _, size := range []int{1, 2, 5} {
		for _, votes := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d nodes, votes %v", size, votes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var network MockNetwork
					var ends []*slowTransport
					node := func(name string) *Memberlist {
						k := newKeeper("state of " + name)
						c, end := testConfig(name, k.recorder), newSlowTransport(&network, name)
						end.takes = func(string) time.Duration { return 200 * time.Millisecond }
						c.Transport, c.Delegate, c.TCPTimeout = end, k, time.Second
						if votes {
							c.Merge, c.Alive, c.TCPTimeout = k, k, 1500*time.Millisecond
						}
						ends = append(ends, end)
						return create(t, c)
					}
					first := node("first")
					for i := range size {
						m := node(fmt.Sprint("n", i))
						begin := time.Now()
						n, err := m.Join([]string{first.LocalNode().Address()})
						if n != 1 || err != nil {
							t.Errorf("Join of node %d = %d, %v", i+1, n, err)
						}
						t.Logf("Join of node %d took %v, %d writes to the first, which wrote %d", i+1, time.Since(begin),
							ends[i+1].begun(first.LocalNode().Address()), ends[0].begun(m.LocalNode().Address()))
						time.Sleep(20 * time.Second)
					}
				})
			})
		}
	}
}

func TestJoinCountsWhatItReached(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		a, b := node("a", nil), node("b", nil)
		begin := time.Now()
		n, err := b.Join([]string{a.LocalNode().Address(), "name/" + a.LocalNode().Address(), b.LocalNode().Address(), "10.9.9.9:1", "not an address:x"})
		if n != 3 || err != nil {
			t.Errorf("Join = %d, %v", n, err)
		}
		if took := time.Since(begin); took > 12*time.Second {
			t.Errorf("took %v", took)
		}
		n, err = b.Join([]string{"10.9.9.9:1", "10.9.9.8:1"})
		switch {
		case n != 0:
			t.Errorf("n is %v, want 0", n)
		case err == nil:
			t.Error("there is no error")
		case !strings.Contains(err.Error(), "10.9.9.9:1"):
			t.Errorf("err lacks %q:\n%v", "10.9.9.9:1", err)
		case !strings.Contains(err.Error(), "10.9.9.8:1"):
			t.Errorf("err lacks %q:\n%v", "10.9.9.8:1", err)
		}
		if n, err = b.Join(nil); n != 0 || err != nil {
			t.Errorf("Join(nil) = %d, %v", n, err)
		}
	})
}

func TestJoinThatReachedANodeWaitsTwoSecondsForDeadAddresses(t *testing.T) {
	for name, join := range map[string]func(t *testing.T, m *Memberlist, hosts []string) (int, error){
		"Join": func(_ *testing.T, m *Memberlist, hosts []string) (int, error) { return m.Join(hosts) },
		"JoinContext": func(t *testing.T, m *Memberlist, hosts []string) (int, error) {
			return m.JoinContext(t.Context(), hosts)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
				a, b := node("a", newRecorder()), node("b", newRecorder())
				begin := time.Now()
				n, err := join(t, b, []string{"10.255.0.1:1", a.LocalNode().Address()})
				if err != nil {
					t.Error(err)
				}
				if n != 1 {
					t.Errorf("n is %v, want 1", n)
				}
				if took := time.Since(begin); took < 2*time.Second || took > 3*time.Second {
					t.Errorf("it took %v, want 2 to 3 s", took)
				}
			})
		})
	}
}
