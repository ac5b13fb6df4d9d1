package gwyh

import (
	"fmt"
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
