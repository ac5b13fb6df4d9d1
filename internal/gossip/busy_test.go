package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

// rush sends so many small messages from node 0, one each step, and returns the time the last one took to
// the last node, having checked that all came once.
func (c *cluster) rush(count int, step time.Duration, origins int, name string) {
	c.t.Helper()
	for i := range count {
		c.do(i%origins, func(now time.Time) {
			if err := c.nodes[i%origins].Broadcast(now, fmt.Appendf(nil, "%s %06d %200s", name, i, "")); err != nil {
				c.t.Fatal(err)
			}
		})
		c.net.RunFor(step)
	}
	c.net.RunFor(5 * time.Second)
	missing := 0
	for i := range count {
		msg := fmt.Sprintf("%s %06d %200s", name, i, "")
		for k, n := range c.nodes {
			want := 1
			if k == i%origins {
				want = 0
			}
			if n.got[msg] != want {
				missing++
				if missing < 10 {
					c.t.Errorf("node %d got message %d of %d %d times", k, i, i%origins, n.got[msg])
				}
			}
		}
	}
	if missing > 0 {
		c.t.Errorf("%d deliveries amiss", missing)
	}
}

func TestManySmallMessagesAreAnnouncedAndAllArrive(t *testing.T) {
	for _, origins := range []int{1, 10} {
		for _, loss := range []float64{0, 0.05} {
			c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: loss})
			c.add(10)
			c.form(5 * time.Second)
			before := c.sum(func(s *Stats) uint64 { return s.SentDatagrams })
			bytes := c.sum(func(s *Stats) uint64 { return s.SentBytes })
			const count = 5000
			c.rush(count, 100*time.Microsecond, origins, "message")
			per := func(n uint64) float64 { return float64(n) / count / 10 }
			t.Logf("%d origins, loss %v: per message and node %.2f datagrams, %.0f bytes, %.2f copies, %.2f announced, %.3f asked for, %.3f resent; %d prunes, %d grafts; dropped: forgotten %d, announced %d, full %d, unexpected %d", origins, loss,
				per(c.sum(func(s *Stats) uint64 { return s.SentDatagrams })-before), per(c.sum(func(s *Stats) uint64 { return s.SentBytes })-bytes),
				per(c.sum(func(s *Stats) uint64 { return s.BroadcastsForwarded })), per(c.sum(func(s *Stats) uint64 { return s.Announced })),
				per(c.sum(func(s *Stats) uint64 { return s.Wanted })), per(c.sum(func(s *Stats) uint64 { return s.Resent })), c.sum(func(s *Stats) uint64 { return s.Prunes }), c.sum(func(s *Stats) uint64 { return s.Grafts }),
				c.dropped(DropForgotten), c.dropped(DropAnnounced), c.dropped(DropQueueFull), c.dropped(DropUnexpected))
		}
	}
}
