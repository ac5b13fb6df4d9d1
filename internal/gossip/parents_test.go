package gossip

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// After the first message each payload crosses the network at most 2.2 times per node, and at 5 % loss a message takes
// at most 1.6 times as long.
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
		for i := range sized(20, 10) {
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

// deprive makes a node lazy to all its neighbors for the messages of an origin, without its involvement.
func (c *cluster) deprive(i int, origin uint64) {
	for k := range c.nodes {
		c.do(k, func(now time.Time) {
			if p := c.nodes[k].peers[c.nodes[i].cfg.ID]; p != nil {
				c.nodes[k].lazy(p, origin, true)
				id := wire.BroadcastID(origin, 0)
				var none wire.Stripes
				none.Add(&id, 0)
				var m wire.Message
				_, _ = wire.ParseMessage(&m, wire.AppendList(nil, wire.KindStripes, id, none.Bytes()))
				c.nodes[k].broadcast.ReceiveStripes(now, &p.Peer, m.Data)
			}
		})
	}
}

func TestAnnouncedMessageIsRequestedWhenItDoesNotArrive(t *testing.T) {
	for _, size := range []int{300, 200_000} {
		for _, loss := range []float64{0, 0.2} {
			c := newCluster(t, 1, gigabit())
			c.add(8)
			c.form(5 * time.Second)
			c.net.RunFor(2 * time.Second)
			c.spread(1, []byte(payload(size, 9)), 5*time.Second)
			c.net.RunFor(2 * time.Second)
			c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
			c.deprive(5, c.nodes[1].ids.Origin())
			n := c.nodes[5]
			msg := []byte(payload(size, 1))
			took := c.spread(1, msg, 20*time.Second)
			c.exactlyOnce(1, msg)
			if n.Stats().Wanted == 0 {
				t.Errorf("%d bytes, loss %v: nothing asked for", size, loss)
			}
			c.net.RunFor(2 * time.Second)
			if size == 300 && n.Stats().Grafts == 0 {
				t.Errorf("loss %v: no graft", loss)
			}
			t.Logf("%d bytes, loss %v: after %v, %d pieces asked for", size, loss, took, n.Stats().Wanted)
		}
	}
}

// Other nodes that have the message replace parents that die during a transfer.
func TestMessageGoesOnWhenItsParentsDie(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(12)
	c.form(5 * time.Second)
	c.net.RunFor(2 * time.Second)
	for i := range 3 {
		c.spread(0, []byte(payload(300_000, byte(i))), 5*time.Second)
		c.net.RunFor(time.Second)
	}
	origin := c.nodes[0].ids.Origin()
	n := c.nodes[slices.IndexFunc(c.nodes, func(n *node) bool {
		p := n.peers[c.nodes[0].cfg.ID]
		return n != c.nodes[0] && (p == nil || n.broadcast.Disseminator.Takes(origin, &p.Neighbor) == 0)
	})]
	msg := []byte(payload(8<<20, 9))
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
		if p := n.peers[o.cfg.ID]; i != 0 && p != nil && n.broadcast.Disseminator.Takes(origin, &p.Neighbor) != 0 {
			c.net.Crash(o.addr)
			crashed++
		}
	}
	if crashed == 0 {
		t.Fatal("it has no parent but the origin")
	}
	c.net.RunFor(3 * time.Second)
	for _, o := range c.nodes {
		if c.net.Do(o.addr, func(time.Time) {}) && o != c.nodes[0] && o.got[key(msg)] != 1 {
			t.Errorf("%s got it %d times after %d parents died", o.cfg.Name, o.got[key(msg)], crashed)
		}
	}
}

// A node that takes nothing any more, but should pass on a stripe, delays a message by the time in which the stripe stalls and
// by one request (PROTOCOL.md Q17), to a neighbor whose link has found its rate.
func TestPausedSenderOfAStripeCostsOneRequest(t *testing.T) {
	t.Parallel()
	const trip = 40 * time.Millisecond // of gigabit
	c := newCluster(t, 1, gigabit())
	c.add(10)
	c.form(5 * time.Second)
	c.net.RunFor(5 * time.Second)
	msg := func(salt byte) []byte { return []byte(payload(1<<20, salt)) }
	var usual time.Duration
	for i := range byte(5) {
		if took := c.spread(0, msg(i), time.Second); i > 1 { // the links have reached their rates
			usual = max(usual, took)
		}
		c.net.RunFor(time.Second)
	}
	origin := c.nodes[0].ids.Origin()
	sender := slices.IndexFunc(c.nodes, func(n *node) bool {
		return n != c.nodes[0] && slices.ContainsFunc(c.nodes, func(o *node) bool {
			p := o.peers[n.cfg.ID]
			return p != nil && o.broadcast.Disseminator.Takes(origin, &p.Neighbor) != 0
		})
	})
	if sender < 0 {
		t.Fatal("no stripe is taken from another node than the origin")
	}
	c.net.Pause(c.nodes[sender].addr)
	begin, before := c.net.Now(), c.arrived
	c.do(0, func(now time.Time) {
		if err := c.nodes[0].Broadcast(now, msg(5)); err != nil {
			t.Fatal(err)
		}
	})
	c.net.RunUntil(2*time.Second, func() bool { return c.arrived-before == len(c.nodes)-2 })
	took := c.net.Now().Sub(begin)
	t.Logf("the last of the others has the message after %v, before after %v", took, usual)
	if took > usual+3*trip {
		t.Errorf("the last of the others has the message after %v, before after %v", took, usual)
	}
}

func TestParentsAreNear(t *testing.T) {
	for _, size := range []int{300, 300_000} {
		for seed := range uint64(8) {
			t.Run(fmt.Sprintf("%d bytes, seed %d", size, seed), func(t *testing.T) { parentsAreNear(t, seed, size) })
		}
	}
}

func parentsAreNear(t *testing.T, seed uint64, size int) {
	c := newCluster(t, seed, gigabit())
	c.add(10)
	c.form(5 * time.Second)
	c.net.RunFor(2 * time.Second)
	// Node 9 is far from all nodes except nodes 3 and 4.
	isNear := func(i int) bool { return i == 3 || i == 4 }
	for i := range 9 {
		if !isNear(i) {
			for _, pair := range [][2]int{{i, 9}, {9, i}} {
				c.net.SetLink(c.nodes[pair[0]].addr, c.nodes[pair[1]].addr, simnet.Link{Latency: simnet.Constant(200 * time.Millisecond), Rate: simnet.Gbit})
			}
		}
	}
	c.net.RunFor(10 * time.Second) // the nodes measure their links again
	origin := c.nodes[1].ids.Origin()
	for i := range 4 {
		c.spread(1, []byte(payload(size, byte(i))), 5*time.Second)
		c.net.RunFor(time.Second)
	}
	n, near, nearTaken, farTaken := c.nodes[9], 0, 0, 0
	for i, o := range c.nodes {
		p := n.peers[o.cfg.ID]
		if p == nil || !p.Linked {
			continue
		}
		if isNear(i) {
			near++
			if size == 300 && !n.broadcast.Disseminator.IsParent(origin, &p.Neighbor) {
				t.Errorf("node %d is near and no parent", i)
			}
		}
		switch takes := n.broadcast.Disseminator.Takes(origin, &p.Neighbor) != 0; {
		case takes && isNear(i):
			nearTaken++
		case takes:
			farTaken++
		}
	}
	if near == 0 {
		t.Fatal("node 9 has no link with a near node")
	}
	if size > 1400 && nearTaken == 0 {
		t.Error("no stripe is taken from a near neighbor")
	}
	if most := 2 - near; farTaken > max(most, 0) { // the two stripes come from two neighbors
		t.Errorf("%d near neighbors, and stripes are taken from %d far ones", near, farTaken)
	}
}

// Announced messages that do not exist are requested a few times and then dropped. They prevent no other message from
// arriving, and are bounded and counted.
func TestFalseAnnouncementsCostLittle(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(8)
	c.form(5 * time.Second)
	liar := c.nodes[3]
	id := liar.ids.Broadcast()
	top := id.Counter()
	for range 30 {
		c.do(3, func(now time.Time) {
			var have digest.List
			for range 3 {
				top += 200
				have.Add(&digest.Digest{Origin: id.Origin(), Top: top, Below: 199})
			}
			plain := wire.AppendList(nil, wire.KindHave, liar.newID(), have.Bytes())
			for _, p := range liar.links {
				liar.sender.SendPlain(now, &p.Peer, plain)
			}
		})
		for _, n := range c.nodes {
			for _, p := range n.links {
				if p.Neighbor.Expected() > broadcast.AnnouncedMax {
					t.Fatalf("%d announcements kept", p.Neighbor.Expected())
				}
			}
			if n.broadcast.Disseminator.Requests() > broadcast.MissingMax {
				t.Fatalf("%d messages asked for", n.broadcast.Disseminator.Requests())
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
		if n.broadcast.Disseminator.Requests() != 0 {
			t.Errorf("node %d still asks for %d messages", i, n.broadcast.Disseminator.Requests())
		}
		for _, p := range n.links {
			if p.Neighbor.Expected() != 0 {
				t.Errorf("node %d keeps %d announcements", i, p.Neighbor.Expected())
			}
		}
	}
}

func TestRequestsGetNoMoreThanWasAnnounced(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := pairOf(t, seed)
			a, b := c.nodes[0], c.nodes[1]
			p := a.links[0]
			msg := []byte(payload(50_000, 1))
			id := a.ids.Broadcast()
			c.do(0, func(now time.Time) {
				x := a.broadcast.AddLarge(now, id, msg)
				a.broadcast.Disseminator.Seen.First(now, &id, nil)
				x.PassedOn = true
				a.broadcast.Disseminator.Announced(delivery.LargeOf(x), &p.Neighbor)
			})
			ask := func(id wire.MessageID, from, to uint32, times int) (sent uint64) {
				before := a.stats.SentBytes
				for range times {
					c.do(1, func(now time.Time) {
						var want wire.Want
						want.Add(&id, from, to)
						b.sender.SendPlain(now, &b.links[0].Peer, wire.AppendList(nil, wire.KindWant, b.newID(), want.Bytes()))
					})
				}
				c.net.RunFor(30 * time.Millisecond)
				return a.stats.SentBytes - before
			}
			for _, x := range []struct {
				id       wire.MessageID
				from, to uint32
			}{{wire.MessageID{1, 2, 3}, 0, 10}, {id, 10, 10}, {id, 20, 10}} {
				if n := ask(x.id, x.from, x.to, 1); n > 2000 {
					t.Errorf("%v: %d bytes sent", x, n)
				}
			}
			sent := ask(id, 0, 50_000, 1000)
			if most := uint64((256 + 2*160) * 60_000); sent > most { // requests allowed at first, plus one large message
				t.Errorf("%d bytes sent, want at most %d", sent, most)
			}
			if a.Stats().Dropped[stats.DropUnexpected] < 500 || a.Stats().Dropped[stats.DropForgotten] == 0 {
				t.Errorf("counted: %d unexpected, %d forgotten", a.Stats().Dropped[stats.DropUnexpected], a.Stats().Dropped[stats.DropForgotten])
			}
			c.do(1, func(now time.Time) {
				for _, k := range []string{"Have", "Want", "Prune"} { // invalid values
					plain := append([]byte{0x92, 0xc4, 16}, make([]byte, 16)...)
					plain = append(append(append(plain, 0x81, 0xa0|byte(len(k))), k...), 0xc4, 3, 1, 2, 3)
					b.sender.SendPlain(now, &b.links[0].Peer, plain)
				}
			})
			c.net.RunFor(time.Second)
			if n := a.Stats().Dropped[stats.DropMalformedBody]; n != 3 {
				t.Errorf("%d malformed bodies counted, want 3", n)
			}
			c.broadcast(0, "goes on", time.Second)
		})
	}
}
