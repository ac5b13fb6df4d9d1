package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// rush sends count small messages, one each step, in turn from the first origins nodes. It checks that all nodes
// received each message exactly once.
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

func TestManySmallMessagesAllArrive(t *testing.T) {
	t.Parallel()
	for _, origins := range []int{1, 10} {
		for _, loss := range []float64{0, 0.05} {
			c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: loss})
			c.add(10)
			c.form(5 * time.Second)
			before := c.sum(func(s *stats.Stats) uint64 { return s.SentDatagrams })
			bytes := c.sum(func(s *stats.Stats) uint64 { return s.SentBytes })
			count := brief(3000, 1000)
			c.rush(count, 100*time.Microsecond, origins, "message")
			per := func(n uint64) float64 { return float64(n) / float64(count) / 10 }
			t.Logf("%d origins, loss %v: per message and node %.2f datagrams, %.0f bytes, %.2f copies, %.2f announced, %.3f asked for, %.3f resent; %d prunes, %d grafts; dropped: forgotten %d, announced %d, full %d, unexpected %d", origins, loss,
				per(c.sum(func(s *stats.Stats) uint64 { return s.SentDatagrams })-before), per(c.sum(func(s *stats.Stats) uint64 { return s.SentBytes })-bytes),
				per(c.sum(func(s *stats.Stats) uint64 { return s.BroadcastsForwarded })), per(c.sum(func(s *stats.Stats) uint64 { return s.Announced })),
				per(c.sum(func(s *stats.Stats) uint64 { return s.Wanted })), per(c.sum(func(s *stats.Stats) uint64 { return s.Resent })), c.sum(func(s *stats.Stats) uint64 { return s.Prunes }), c.sum(func(s *stats.Stats) uint64 { return s.Grafts }),
				c.dropped(stats.DropForgotten), c.dropped(stats.DropAnnounced), c.dropped(stats.DropQueueFull), c.dropped(stats.DropUnexpected))
		}
	}
}

// Once the paths of an origin are known, each node is sent two copies, at any rate of messages. One message of 64 is
// flooded.
func TestCopiesAreFewUnderLoadAndAtEase(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(5 * time.Second)
	c.rush(3, time.Second, 1, "first")
	copies := func(s *stats.Stats) uint64 { return s.BroadcastsForwarded }
	for _, load := range []struct {
		name  string
		count int
		step  time.Duration
	}{{"busy", 640, 200 * time.Microsecond}, {"at ease", 64, 200 * time.Millisecond}} {
		before := c.sum(copies)
		c.rush(load.count, load.step, 1, load.name)
		each := float64(c.sum(copies)-before) / float64(load.count) / 9
		t.Logf("%s: %.2f copies for each node", load.name, each)
		if each > 2.3 {
			t.Errorf("%s: %.2f copies for each node, want 2.3 at most", load.name, each)
		}
	}
}

// A datagram that waits for more messages on a busy link is sent soon, even if none follow.
func TestLastMessageOfManyIsNotLeftBehind(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(5 * time.Second)
	c.rush(400, 100*time.Microsecond, 1, "first")
	c.rush(401, 100*time.Microsecond, 1, "again")
	last := fmt.Sprintf("again %06d %200s", 400, "")
	var first, most time.Time
	for _, n := range c.nodes[1:] {
		if at := n.at[last]; first.IsZero() || at.Before(first) {
			first = at
		}
		if at := n.at[last]; at.After(most) {
			most = at
		}
	}
	if spread := most.Sub(first); spread > 10*time.Millisecond {
		t.Errorf("the last message was %v on its way from the first node to the last", spread)
	}
	for i, n := range c.nodes {
		if n.sender.Unsealed() != 0 {
			t.Errorf("node %d keeps %d datagrams open", i, n.sender.Unsealed())
		}
	}
}

func TestWhoLeavesLeavesNothingOpen(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(6)
	c.form(5 * time.Second)
	c.rush(200, 100*time.Microsecond, 1, "before")
	c.do(0, func(now time.Time) {
		for i := range 60 {
			if err := c.nodes[0].Broadcast(now, fmt.Append(nil, "the last ", i)); err != nil {
				t.Fatal(err)
			}
		}
	})
	c.do(0, c.nodes[0].Leave)
	c.net.RunFor(2 * time.Second)
	for k := range c.nodes[1:] {
		c.heard(k+1, 60, "the last ")
	}
}

// A member can guess ids, and announce messages that were not sent yet. That delays no message for long.
func TestGuessedAnnouncementsKeepNothingBack(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(8)
	c.form(5 * time.Second)
	liar := c.nodes[3]
	c.do(3, func(now time.Time) {
		ids := c.nodes[0].ids // a copy, which makes the same ids as the node
		id := ids.Broadcast()
		top := id.Counter() - 1
		for range 20 {
			var have digest.List
			for range 30 {
				top += 50
				have.Add(&digest.Digest{Origin: id.Origin(), Top: top, Below: 49})
			}
			for _, p := range liar.links {
				liar.sender.SendPlain(now, &p.Peer, wire.AppendList(nil, wire.KindHave, liar.newID(), have.Bytes()))
			}
		}
	})
	c.net.RunFor(50 * time.Millisecond)
	c.rush(1000, 100*time.Microsecond, 1, "message")
}
