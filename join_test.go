package gwyh

import (
	"fmt"
	"testing"
	"time"
)

func TestJoinWaitsForNothingButTheNetwork(t *testing.T) {
	// No time passes in the bubble while a datagram is on its way or a delegate runs. So what a Join takes is
	// what it waits for besides.
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

// BenchmarkJoinOnLoopback is the Join of a new node, with a Delegate, to a cluster of one.
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
