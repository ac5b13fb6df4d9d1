package gossip

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// The bounds are those of issue 6: after the first message each payload crosses the network 2.2 times per
// node at most, and loss of 5 % costs 1.6 times the time at most.
func TestLargeMessageCrossesTheNetworkAboutTwice(t *testing.T) {
	t.Parallel()
	var lossless time.Duration
	for _, loss := range []float64{0, 0.05} {
		c := newCluster(t, 1, gigabit())
		c.add(sized(100, 20))
		c.form(5 * time.Second)
		c.net.RunFor(5 * time.Second)
		c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
		const size = 1 << 20
		n := len(c.nodes)
		var took []time.Duration
		var copies []float64
		all := 0.0
		for i := range sized(20, 4) {
			msg := []byte(payload(size, byte(i)))
			origin := i * 37 % n
			frames := func(s *stats.Stats) uint64 { return s.FrameBytes }
			bytes := func(s *stats.Stats) uint64 { return s.SentBytes }
			before, sent := c.sum(frames), c.sum(bytes)
			took = append(took, c.spread(origin, msg, 30*time.Second))
			c.net.RunFor(time.Second)
			c.exactlyOnce(origin, msg)
			copies = append(copies, float64(c.sum(frames)-before)/float64(size*(n-1)))
			all += float64(c.sum(bytes)-sent) / float64(size*(n-1))
		}
		var sum float64
		for _, x := range copies[1:] {
			sum += x
		}
		mean := sum / float64(len(copies)-1)
		median := quantile(took[1:], 0.5)
		t.Logf("%d nodes, loss %v: last node after %v (first %v, median %v, most %v); payload sent per node: first %.2f, then %.2f, most %.2f (with all else %.2f); %d asked for, %d announced, %d prunes, %d grafts",
			n, loss, took, took[0], median, slices.Max(took), copies[0], mean, slices.Max(copies[1:]), all/float64(len(copies)),
			c.sum(func(s *stats.Stats) uint64 { return s.Wanted }), c.sum(func(s *stats.Stats) uint64 { return s.Announced }), c.sum(func(s *stats.Stats) uint64 { return s.Prunes }), c.sum(func(s *stats.Stats) uint64 { return s.Grafts }))
		if mean > 2.2 {
			t.Errorf("loss %v: each payload byte crossed the network %.2f times per node", loss, mean)
		}
		if loss == 0 {
			lossless = median
		} else if median > lossless*8/5 {
			t.Errorf("the last node got it after %v at loss %v, after %v without", median, loss, lossless)
		}
	}
}

// deprive makes all neighbours of a node announce to it only, without its doing.
func (c *cluster) deprive(i int) {
	for _, n := range c.nodes {
		if p := n.peers[c.nodes[i].cfg.ID]; p != nil {
			p.neighbor.Eager = false
		}
	}
}

func TestAnnouncedMessageIsAskedForWhenItDoesNotCome(t *testing.T) {
	for _, loss := range []float64{0, 0.2} {
		c := newCluster(t, 1, gigabit())
		c.add(8)
		c.form(5 * time.Second)
		c.net.RunFor(2 * time.Second)
		c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
		c.deprive(5)
		n := c.nodes[5]
		for _, p := range n.links { // nor does it ask them to go on: it wants no more from them
			p.neighbor.Parent = false
		}
		msg := []byte(payload(200_000, 1))
		took := c.spread(0, msg, 20*time.Second)
		c.exactlyOnce(0, msg)
		if n.Stats().Wanted == 0 || n.Stats().Grafts == 0 {
			t.Errorf("loss %v: %d pieces asked for, %d grafts", loss, n.Stats().Wanted, n.Stats().Grafts)
		}
		if n.broadcast.Parents() == 0 {
			t.Error("it still has no source")
		}
		t.Logf("loss %v: after %v, %d pieces asked for", loss, took, n.Stats().Wanted)
	}
}

// Sources that die in the middle of a message are replaced by those that announced it.
func TestMessageGoesOnWhenItsSourcesDie(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(12)
	c.form(5 * time.Second)
	c.net.RunFor(2 * time.Second)
	for i := range 3 {
		c.spread(i, []byte(payload(300_000, byte(i))), 5*time.Second)
	}
	n := c.nodes[7]
	if got := n.broadcast.Parents(); got != 2 {
		t.Fatalf("%d sources", got)
	}
	msg := []byte(payload(4<<20, 9))
	c.do(0, func(now time.Time) {
		if err := c.nodes[0].Broadcast(now, msg); err != nil {
			t.Fatal(err)
		}
	})
	c.net.RunFor(250 * time.Millisecond)
	if n.got[key(msg)] != 0 {
		t.Fatal("it has come whole already")
	}
	crashed := 0
	for i, o := range c.nodes {
		if p := n.peers[o.cfg.ID]; i != 0 && p != nil && p.neighbor.Parent {
			c.net.Crash(o.addr)
			crashed++
		}
	}
	c.net.RunFor(3 * time.Second)
	for _, o := range c.nodes {
		if c.net.Do(o.addr, func(time.Time) {}) && o != c.nodes[0] && o.got[key(msg)] != 1 {
			t.Errorf("%s got it %d times after %d sources died", o.cfg.Name, o.got[key(msg)], crashed)
		}
	}
}

func TestSourcesAreTheTwoThatWereFirst(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(10)
	c.form(5 * time.Second)
	c.net.RunFor(2 * time.Second)
	// Node 9 is far from all but nodes 3 and 4.
	for i := range 9 {
		if i != 3 && i != 4 {
			for _, pair := range [][2]int{{i, 9}, {9, i}} {
				c.net.SetLink(c.nodes[pair[0]].addr, c.nodes[pair[1]].addr, simnet.Link{Latency: simnet.Constant(200 * time.Millisecond), Rate: simnet.Gbit})
			}
		}
	}
	for i := range 12 {
		c.spread(i%9, []byte(payload(100_000, byte(i))), 5*time.Second)
		c.net.RunFor(500 * time.Millisecond)
	}
	n := c.nodes[9]
	for _, i := range []int{3, 4} {
		if p := n.peers[c.nodes[i].cfg.ID]; p == nil || !p.linked {
			t.Logf("no link to node %d", i)
		} else if !p.neighbor.Parent {
			t.Errorf("node %d is near and no source", i)
		}
	}
}

// Announcements of what does not exist are asked for a few times and forgotten; they keep nothing from
// arriving, and are bounded and counted.
func TestAnnouncementsThatLieCostLittle(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(8)
	c.form(5 * time.Second)
	liar := c.nodes[3]
	for range broadcast.AnnouncedMax / 50 {
		c.do(3, func(now time.Time) {
			var have wire.Have
			for range 60 {
				id := liar.ids.Broadcast()
				have.Add(&id, MessageMax)
			}
			plain := wire.AppendHave(nil, liar.newID(), &have)
			for _, p := range liar.links {
				liar.transport.sendPlain(now, p, plain)
			}
		})
		for _, n := range c.nodes {
			for _, p := range n.links {
				if p.neighbor.Expected() > broadcast.AnnouncedMax {
					t.Fatalf("%d announcements kept", p.neighbor.Expected())
				}
			}
			if n.broadcast.Requests() > broadcast.AnnouncedMax {
				t.Fatalf("%d messages asked for", n.broadcast.Requests())
			}
		}
		c.net.RunFor(time.Millisecond)
	}
	msg := []byte(payload(100_000, 1))
	if c.spread(0, msg, time.Second) == 0 {
		t.Error("an honest message did not arrive")
	}
	c.net.RunFor(5 * time.Minute)
	c.exactlyOnce(0, msg)
	if c.dropped(stats.DropAnnounced) == 0 || c.dropped(stats.DropQueueFull) == 0 {
		t.Errorf("counted: %d announced for nothing, %d too many", c.dropped(stats.DropAnnounced), c.dropped(stats.DropQueueFull))
	}
	for i, n := range c.nodes {
		if n.broadcast.Requests() != 0 {
			t.Errorf("node %d still asks for %d messages", i, n.broadcast.Requests())
		}
		for _, p := range n.links {
			if p.neighbor.Expected() != 0 {
				t.Errorf("node %d keeps %d announcements", i, p.neighbor.Expected())
			}
		}
	}
}

func TestWantsDrawNoMoreThanWasAnnounced(t *testing.T) {
	c := pair(t)
	a, b := c.nodes[0], c.nodes[1]
	p := a.links[0]
	p.neighbor.Eager, b.links[0].neighbor.Parent = false, false
	msg := []byte(payload(50_000, 1))
	id := a.ids.Broadcast()
	c.do(0, func(now time.Time) {
		x := a.broadcast.addLarge(now, id, msg)
		a.broadcast.Seen.First(now, &id, nil)
		x.PassedOn = true
		a.broadcast.AnnouncedLarge(&p.neighbor)
	})
	ask := func(id wire.MessageID, from, to uint32, times int) (sent uint64) {
		before := a.stats.SentBytes
		for range times {
			c.do(1, func(now time.Time) {
				var want wire.Want
				want.Add(&id, from, to)
				b.transport.sendPlain(now, b.links[0], wire.AppendWant(nil, b.newID(), &want))
			})
		}
		c.net.RunFor(30 * time.Millisecond)
		return a.stats.SentBytes - before
	}
	for _, x := range []struct {
		id       wire.MessageID
		from, to uint32
	}{{wire.MessageID{1, 2, 3}, 0, 10}, {id, 10, 10}, {id, 20, 10}, {id, 0, 1 << 30}} {
		if n := ask(x.id, x.from, x.to, 1); n > 2000 {
			t.Errorf("%v: %d bytes sent", x, n)
		}
	}
	sent := ask(id, 0, 50_000, 1000)
	if most := uint64(160 * 60_000); sent > most { // what one announcement allows
		t.Errorf("%d bytes sent, want at most %d", sent, most)
	}
	if a.Stats().Dropped[stats.DropUnexpected] < 800 || a.Stats().Dropped[stats.DropForgotten] == 0 {
		t.Errorf("counted: %d unexpected, %d forgotten", a.Stats().Dropped[stats.DropUnexpected], a.Stats().Dropped[stats.DropForgotten])
	}
	c.do(1, func(now time.Time) {
		for _, k := range []string{"Have", "Want", "Prune"} { // values that are none
			plain := append([]byte{0x92, 0xc4, 16}, make([]byte, 16)...)
			plain = append(append(append(plain, 0x81, 0xa0|byte(len(k))), k...), 0xc4, 3, 1, 2, 3)
			b.transport.sendPlain(now, b.links[0], plain)
		}
	})
	c.net.RunFor(time.Second)
	if n := a.Stats().Dropped[stats.DropMalformedBody]; n != 3 {
		t.Errorf("%d malformed bodies counted, want 3", n)
	}
	c.broadcast(0, "goes on", time.Second)
}
