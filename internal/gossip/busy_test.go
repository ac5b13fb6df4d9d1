package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
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
	t.Parallel()
	for _, origins := range []int{1, 10} {
		for _, loss := range []float64{0, 0.05} {
			c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: loss})
			c.add(10)
			c.form(5 * time.Second)
			before := c.sum(func(s *stats.Stats) uint64 { return s.SentDatagrams })
			bytes := c.sum(func(s *stats.Stats) uint64 { return s.SentBytes })
			const count = 3000
			c.rush(count, 100*time.Microsecond, origins, "message")
			per := func(n uint64) float64 { return float64(n) / count / 10 }
			t.Logf("%d origins, loss %v: per message and node %.2f datagrams, %.0f bytes, %.2f copies, %.2f announced, %.3f asked for, %.3f resent; %d prunes, %d grafts; dropped: forgotten %d, announced %d, full %d, unexpected %d", origins, loss,
				per(c.sum(func(s *stats.Stats) uint64 { return s.SentDatagrams })-before), per(c.sum(func(s *stats.Stats) uint64 { return s.SentBytes })-bytes),
				per(c.sum(func(s *stats.Stats) uint64 { return s.BroadcastsForwarded })), per(c.sum(func(s *stats.Stats) uint64 { return s.Announced })),
				per(c.sum(func(s *stats.Stats) uint64 { return s.Wanted })), per(c.sum(func(s *stats.Stats) uint64 { return s.Resent })), c.sum(func(s *stats.Stats) uint64 { return s.Prunes }), c.sum(func(s *stats.Stats) uint64 { return s.Grafts }),
				c.dropped(stats.DropForgotten), c.dropped(stats.DropAnnounced), c.dropped(stats.DropQueueFull), c.dropped(stats.DropUnexpected))
		}
	}
}

func TestLinkThatIsBusyNoMoreFloodsAgain(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(5 * time.Second)
	announced := func(s *stats.Stats) uint64 { return s.Announced }
	forwarded := func(s *stats.Stats) uint64 { return s.BroadcastsForwarded }
	links := 0
	for _, n := range c.nodes {
		links += len(n.links)
	}
	c.rush(600, 200*time.Microsecond, 1, "busy")
	if c.sum(announced) == 0 {
		t.Fatal("nothing was announced under load")
	}
	before, copies := c.sum(announced), c.sum(forwarded)
	for i := range 10 {
		c.broadcast(i, fmt.Sprint("at ease ", i), 50*time.Millisecond)
	}
	// Each message goes along each link at least once, and never back to whom it came from.
	if n := c.sum(forwarded) - copies; c.sum(announced) != before || n < uint64(10*links/2) {
		t.Errorf("%d announced, %d copies sent of 10 messages over %d links", c.sum(announced)-before, n, links/2)
	}
}

// A datagram that waits for company on a busy link goes soon, whether it comes or not.
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
		if len(n.transport.cork.unsealed) != 0 || n.transport.cork.timer.Pending() {
			t.Errorf("node %d keeps %d datagrams open", i, len(n.transport.cork.unsealed))
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

// A member can say that it has what is not yet sent, for it can guess ids. That delays nothing for long.
func TestGuessedAnnouncementsKeepNothingBack(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(8)
	c.form(5 * time.Second)
	liar := c.nodes[3]
	c.do(3, func(now time.Time) {
		ids := c.nodes[0].ids // a copy: the node itself will make the same
		id := ids.Broadcast()
		for range 20 {
			var have wire.Have
			for range 50 {
				have.Add(&id, 230)
				id[15]++
				if id[15] == 0 {
					id[14]++
				}
			}
			for _, p := range liar.links {
				liar.transport.sendPlain(now, p, wire.AppendHave(nil, liar.newID(), &have))
			}
		}
	})
	c.net.RunFor(50 * time.Millisecond)
	c.rush(1000, 100*time.Microsecond, 1, "message")
}

// busyFrom is how many messages in a row make a link busy.
const busyFrom = 32

// An announcement that becomes full while a message goes out does not take the message's place on the links
// that follow.
func TestFullAnnouncementDoesNotReplaceAMessage(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(5 * time.Second)
	n := c.nodes[0]
	for i, p := range n.links { // the first announce only
		p.neighbor.Eager = i >= 4
	}
	const count = 3 * broadcast.BatchWorth
	var sent uint64
	c.do(0, func(now time.Time) {
		for i := range count {
			if i == busyFrom {
				sent = n.stats.BroadcastsForwarded
			}
			if err := n.Broadcast(now, fmt.Append(nil, "message ", i)); err != nil {
				t.Fatal(err)
			}
		}
		n.Flush(now)
	})
	wanting := n.broadcast.Eager()
	if got := n.stats.BroadcastsForwarded - sent; got != uint64((count-busyFrom)*wanting) && got != uint64((count-busyFrom+1)*wanting) {
		t.Errorf("%d copies sent", got)
	}
	c.net.RunFor(1100 * time.Microsecond) // what was sent in full is there, and nothing was asked for yet
	for _, o := range c.nodes[1:] {
		if p := n.peers[o.cfg.ID]; p == nil || !p.linked || !p.neighbor.Eager {
			continue
		}
		for i := range count {
			if msg := fmt.Sprint("message ", i); o.got[msg] != 1 {
				t.Errorf("%s got %s %d times", o.cfg.Name, msg, o.got[msg])
			}
		}
	}
}
