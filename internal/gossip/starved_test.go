package gossip

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
)

// starved returns a cluster of ten nodes that get little processor time, in slices, like processes on a busy machine.
func starved(t *testing.T, load simnet.Load) *cluster {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(50 * time.Microsecond)})
	c.add(10)
	c.form(5 * time.Second)
	for _, n := range c.nodes {
		c.net.SetLoad(n.addr, load)
	}
	return c
}

// flood makes some nodes send up to each messages of a size in 100 ms, and returns how many Broadcast accepted.
func (c *cluster) flood(nodes, each, size int) (taken int) {
	next := make([]int, nodes)
	for step := 1; step <= 100; step++ {
		for i := range next {
			c.do(i, func(now time.Time) {
				for ; next[i] < each*step/100; next[i]++ {
					b := make([]byte, size)
					binary.BigEndian.PutUint32(b, uint32(i))
					binary.BigEndian.PutUint32(b[4:], uint32(next[i]))
					if c.nodes[i].Broadcast(now, b) != nil {
						return
					}
					taken++
				}
			})
		}
		c.net.RunFor(time.Millisecond)
	}
	return taken
}

// settle runs until the given number of deliveries is reached, or none happens for a minute. It returns how long that took.
func (c *cluster) settle(deliveries int) time.Duration {
	begin := c.net.Elapsed()
	for before := -1; c.arrived > before && c.arrived < deliveries; {
		before = c.arrived
		c.net.RunUntil(time.Minute, func() bool { return c.arrived >= deliveries })
	}
	return c.net.Elapsed() - begin
}

// Messages that Broadcast has accepted arrive everywhere, even if the nodes get very little processor time.
func TestFloodArrivesWhereNodesGetLittleProcessorTime(t *testing.T) {
	const often, seldom, rare = 200 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second
	for _, is := range []struct {
		share  float64
		period time.Duration
		size   int
	}{{0.01, seldom, 256}, {0.1, rare, 5000}, {0.01, often, 20_000}, {0.01, seldom, 5000}}[:brief(4, 2)] {
		t.Run(fmt.Sprintf("%d bytes, %v of each %v", is.size, is.share, is.period), func(t *testing.T) {
			t.Parallel()
			c := starved(t, simnet.Load{Share: is.share, Period: is.period, Cost: 20 * time.Microsecond})
			taken := c.flood(5, brief(200, 50), is.size)
			want := taken * (len(c.nodes) - 1)
			took := c.settle(want)
			t.Logf("%d messages taken, %d of %d deliveries made after %v", taken, c.arrived, want, took)
			if c.arrived != want {
				t.Errorf("%d of %d deliveries of %d messages were made", c.arrived, want, taken)
			}
		})
	}
}

// Messages that Broadcast has accepted arrive everywhere, even if some nodes get much less processor time than others.
func TestFloodArrivesWhereNodesDifferInProcessorTime(t *testing.T) {
	for _, is := range []struct {
		name    string
		seconds float64
		shares  []float64
		periods []time.Duration
		costs   []time.Duration // of a datagram
	}{
		{"all get little", 0.1, []float64{0.02}, []time.Duration{20 * time.Millisecond}, []time.Duration{29 * time.Microsecond, 33 * time.Microsecond}},
		{"some get little", 0.1, []float64{0.02, 0.1, 0.3, 1}, []time.Duration{100 * time.Millisecond, 500 * time.Millisecond}, []time.Duration{29 * time.Microsecond}},
		{"some get a third", 3, []float64{0.3, 1}, []time.Duration{100 * time.Millisecond, 500 * time.Millisecond}, []time.Duration{29 * time.Microsecond, 21 * time.Microsecond}},
	} {
		for k, cost := range is.costs[:brief(len(is.costs), 1)] {
			seed := uint64(k + 1)
			t.Run(fmt.Sprintf("%s, seed %d", is.name, seed), func(t *testing.T) {
				t.Parallel()
				c := starved(t, simnet.Load{})
				rng := rand.New(rand.NewPCG(seed, 0))
				for _, n := range c.nodes {
					share, period := is.shares[rng.IntN(len(is.shares))], is.periods[rng.IntN(len(is.periods))]
					c.net.SetLoad(n.addr, simnet.Load{Share: share, Period: period, Cost: cost})
				}
				taken := 0
				for begin := c.net.Elapsed(); (c.net.Elapsed() - begin).Seconds() < is.seconds; {
					taken += c.flood(len(c.nodes), 3000, 256)
				}
				want := taken * (len(c.nodes) - 1)
				took := c.settle(want)
				t.Logf("%d messages taken, %d of %d deliveries made after %v", taken, c.arrived, want, took)
				if c.arrived != want {
					t.Errorf("%d of %d deliveries of %d messages were made", c.arrived, want, taken)
				}
			})
		}
	}
}

// held makes node i store a whole large message of its own that it has not sent to any node.
func (c *cluster) held(i, size int) (a *assembly.Assembly) {
	n := c.nodes[i]
	c.do(i, func(now time.Time) {
		id := n.ids.Broadcast()
		n.broadcast.Disseminator.Seen.First(now, &id, nil)
		a = n.broadcast.AddLarge(now, id, []byte(payload(size, 1)))
		a.Ours, a.PassedOn = true, true
		n.broadcast.SweepLater(now)
	})
	return a
}

func TestWhatWaitsForASlowLinkIsNotGivenUpWhileTheLinkMoves(t *testing.T) {
	c := pair(t)
	c.net.Adjust(func(l *simnet.Link) { l.Rate, l.Queue = 500*simnet.Kbit, 1<<20 })
	taken := 0
	c.do(0, func(now time.Time) {
		for ; taken < 30; taken++ { // 3 MB at 500 kbit/s: the last ones wait for longer than queueAge
			if err := c.nodes[0].Broadcast(now, []byte(payload(100_000, byte(taken)))); err != nil {
				t.Fatal(err)
			}
		}
	})
	c.net.RunUntil(5*time.Minute, func() bool { return c.arrived == taken })
	if c.arrived != taken {
		t.Errorf("%d of %d came, %d were given up", c.arrived, taken, c.nodes[0].Stats().Dropped[stats.DropQueueOld])
	}
}

func TestLargeMessageThatWasAskedForGoesBeforeOthers(t *testing.T) {
	c := pair(t)
	n := c.nodes[0]
	p := n.links[0]
	var held []*assembly.Assembly
	for range 4 {
		held = append(held, c.held(0, 50_000))
	}
	c.do(0, func(now time.Time) {
		for _, a := range held[:3] {
			p.Packets.Begin(now, a, 0)
		}
		for _, a := range []*assembly.Assembly{held[3], held[1]} {
			n.broadcast.Serve(now, &p.Peer, &broadcast.Outcome{Message: a.ID, Until: 10})
		}
		for i, want := range []*assembly.Assembly{held[3], held[1], held[0], held[2]} {
			if p.Packets.Transfers()[i].Message() != want {
				t.Errorf("another message is at place %d of the queue", i)
			}
		}
	})
}

// Each heartbeat announces a message to a neighbor that does not show that it has the message, until the neighbor
// requests it or shows that it has it.
func TestMessageIsMentionedUntilTheNeighborHasIt(t *testing.T) {
	c := pair(t)
	n, o := c.nodes[0], c.nodes[1]
	a := c.held(0, 50_000)
	n.broadcast.Disseminator.Announced(delivery.LargeOf(a), &n.links[0].Neighbor)
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.5 })
	if c.net.RunFor(assembly.AnnouncedAge / 2); !o.broadcast.Disseminator.Seen.Has(&a.ID) {
		t.Error("the neighbor does not have it")
	}
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
	c.net.RunFor(15 * time.Second)
	if delivery.LargeOf(a).Awaited() {
		t.Error("the neighbor has not shown that it has it")
	}
	if !a.Forgotten() {
		t.Error("it is kept although the neighbor has it")
	}
}

// A node that others took for dead, because it received nothing for a while, gets what its neighbors still hold when it
// returns: they hold it because they told the node of it and the node did not show that it has it.
func TestNodeThatWasTakenForDeadGetsWhatItsNeighborsHold(t *testing.T) {
	const late = 4
	for _, heard := range []bool{false, true} {
		c := formed(t, 5)
		n, o := c.nodes[0], c.nodes[late]
		blocks := []*simnet.Block{c.deafen(late)}
		if !heard {
			blocks = append(blocks, c.net.Block([]netip.AddrPort{o.addr}, c.others(late)))
		}
		a := c.held(0, 50_000)
		n.broadcast.Disseminator.Announced(delivery.LargeOf(a), &n.peers[o.cfg.ID].Neighbor)
		if c.outcome(late, 20*time.Second, nil) == 0 {
			t.Fatal("the node is not taken for dead")
		}
		c.net.RunFor(15 * time.Second) // a message that nobody lacks is kept for 10 s
		for _, b := range blocks {
			b.Heal()
		}
		if !c.net.RunUntil(time.Minute, func() bool { return o.broadcast.Disseminator.Seen.Has(&a.ID) }) {
			t.Errorf("the others hear it: %v; the node lacks the message", heard)
		}
	}
}

// A report also covers packets that the peer has given up, so the node keeps the message for the peer (PROTOCOL.md F4).
func TestReportDoesNotShowThatAMessageArrived(t *testing.T) {
	c := pair(t)
	n := c.nodes[0]
	a, p := c.held(0, 5000), n.links[0]
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 1 })
	c.do(0, func(now time.Time) {
		n.broadcast.Disseminator.Announced(delivery.LargeOf(a), &p.Neighbor)
		p.Packets.Begin(now, a, 0)
		n.sender.Pump(now, &p.Peer)
		if ch := p.Packets.Channel(now); p.Packets.Transfer(a).Whole() {
			n.broadcast.Confirm(now, &p.Peer, ch, ch.Sent()+1)
		}
	})
	switch l := delivery.LargeOf(a); {
	case p.Packets.Transfer(a) != nil || !l.Owned():
		t.Fatal("the transfer has not ended")
	case !l.Awaited():
		t.Error("the neighbor is not awaited, which has received nothing")
	}
}

func TestMessageThatWaitsForALinkThatEndsGoesAlongAnother(t *testing.T) {
	for _, known := range []bool{false, true} {
		c := newCluster(t, 1, gigabit())
		c.add(5)
		c.form(5 * time.Second)
		n := c.nodes[0]
		a := c.held(0, 50_000)
		ends, other := n.links[0], n.links[1]
		if known {
			delivery.LargeOf(a).Shown(&other.Neighbor)
		}
		c.do(0, func(now time.Time) {
			ends.Packets.Begin(now, a, 0)
			n.overlay.unlink(now, ends)
		})
		sent := false
		for _, p := range n.links {
			sent = sent || p.Packets.Transfer(a) != nil
		}
		if sent == known {
			t.Errorf("another has it: %v; sent along another link: %v", known, sent)
		}
	}
}

func TestNewLinkGetsAnnouncementsOfWhatPassedBeforeItBegan(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(5)
	c.form(5 * time.Second)
	n := c.nodes[0]
	a := c.held(0, 50_000)
	p := n.links[0]
	c.do(0, func(now time.Time) {
		n.broadcast.Carry(now, &p.Peer)
	})
	c.net.RunFor(5 * time.Second) // heartbeats mention it once a digest of the peer could have come (PROTOCOL.md Q9)
	for _, o := range c.nodes {
		if o.cfg.ID == p.ID && !o.broadcast.Disseminator.Seen.Has(&a.ID) {
			t.Error("the peer does not have the message")
		}
	}
}

// A node accepts no further messages of its own if the store would drop announced messages that a link may still request.
func TestWhatALinkMayStillRequestCausesBackpressure(t *testing.T) {
	for name, is := range map[string]struct {
		told, shown, silent, crowded bool
	}{
		"told":            {told: true, crowded: true},
		"told and shown":  {told: true, shown: true},
		"told and silent": {told: true, silent: true},
		"not told":        {},
	} {
		c := pair(t)
		n, p := c.nodes[0], c.nodes[0].links[0]
		for range assembly.StoreMax / 2 / MessageMax {
			a := c.held(0, MessageMax)
			if is.told {
				n.broadcast.Disseminator.Announced(delivery.LargeOf(a), &p.Neighbor)
			}
			if is.shown {
				delivery.LargeOf(a).Shown(&p.Neighbor)
			}
		}
		c.do(0, func(now time.Time) {
			now = now.Add(time.Second)
			if p.Swim.Heard = now; is.silent {
				p.Swim.Heard = now.Add(-time.Minute)
			}
			if got := n.broadcast.Crowded(now); got != is.crowded {
				t.Errorf("%s: crowded %v", name, got)
			}
		})
	}
}
