package gossip

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// crash crashes node i. It returns how long it took until the first node suspected it, and until all others knew that
// it was dead; zero for never.
func (c *cluster) crash(i int, within time.Duration) (suspected, known time.Duration) {
	c.t.Helper()
	id := c.nodes[i].cfg.ID
	c.net.Crash(c.nodes[i].addr)
	for at := time.Duration(0); at < within && known == 0; {
		c.net.RunFor(10 * time.Millisecond)
		at += 10 * time.Millisecond
		live := 0
		for k, n := range c.nodes {
			m := n.members.Get(id)
			if k == i || m == nil || !m.Live() {
				continue
			}
			live++
			if m.State == wire.StateSuspect && suspected == 0 {
				suspected = at
			}
		}
		if live == 0 {
			known = at
		}
	}
	return suspected, known
}

// restart restarts node i under its name.
func (c *cluster) restart(i int) {
	n := c.make(i)
	c.nodes[i] = n
	c.net.Restart(n.addr, n)
	c.join(i, (i+1)%len(c.nodes))
}

// docs/PERFORMANCE.md quotes what this test logs at full size.
func TestCrashIsSuspectedAndKnownEverywhereInTime(t *testing.T) {
	t.Parallel()
	sizes := []int{50}
	if *full {
		sizes = []int{50, 500, 2000}
	}
	for _, size := range sizes {
		for _, loss := range []float64{0, 0.05} {
			t.Run(fmt.Sprintf("%d nodes, loss %v", size, loss), func(t *testing.T) {
				c := newCluster(t, 1, lan())
				c.add(size)
				c.form(30 * time.Second)
				c.net.RunFor(10 * time.Second)
				c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
				rng := newTestRand(uint64(size))
				var suspected, known []time.Duration
				for range sized(20, brief(7, 3)) {
					c.net.RunFor(5*time.Second + time.Duration(rng.Int64N(int64(time.Second))))
					if !c.whole() {
						t.Fatal(c.missing())
					}
					i := rng.IntN(size)
					s, k := c.crash(i, 30*time.Second)
					if s == 0 || k == 0 {
						t.Fatalf("node %d was suspected after %v, known dead after %v", i, s, k)
					}
					suspected, known = append(suspected, s), append(known, k)
					c.restart(i)
				}
				t.Logf("suspected after %v (median), %v (most); known dead by all after %v, %v", quantile(suspected, 0.5), slices.Max(suspected), quantile(known, 0.5), slices.Max(known))
				if s, k := quantile(suspected, 0.5), quantile(known, 0.5); s > 2700*time.Millisecond || k > 5200*time.Millisecond {
					t.Errorf("median %v and %v, want 2.7 s and 5.2 s", s, k)
				}
			})
		}
	}
}
