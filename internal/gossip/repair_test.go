package gossip

import (
	"fmt"
	"testing"
	"time"

	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// pair returns two nodes linked with each other, far apart.
func pair(t *testing.T) *cluster {
	t.Helper()
	return pairOf(t, 1)
}

// pairOf is pair for a seed.
func pairOf(t *testing.T, seed uint64) *cluster {
	t.Helper()
	c := strangers(t, seed)
	c.form(5 * time.Second)
	c.net.RunFor(2 * time.Second)
	return c
}

// On the only link between two nodes each lost message is retransmitted, except the last ones, whose loss is revealed
// only by the next datagram.
func TestSmallBroadcastsAreRepaired(t *testing.T) {
	c := pair(t)
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.1 })
	const count = 500
	for i := range count {
		c.do(0, func(now time.Time) {
			if err := c.nodes[0].Broadcast(now, fmt.Append(nil, "message ", i)); err != nil {
				t.Fatal(err)
			}
		})
		c.net.RunFor(5 * time.Millisecond)
	}
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
	c.net.RunFor(5 * time.Second)
	for i := range count {
		if got := c.nodes[1].got[fmt.Sprint("message ", i)]; got != 1 {
			t.Errorf("message %d came %d times", i, got)
		}
	}
	c.quiet()
}

func TestLossIsRepairedOnce(t *testing.T) {
	c := pair(t)
	lost := func() (n uint64) { return c.net.Stats().Lost[simnet.LostOnLink] }
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.05 })
	c.broadcast(0, payload(4<<20, 1), 10*time.Second)
	s := c.nodes[0].Stats()
	t.Logf("%d lost, %d resent, %d ranges asked for", lost(), s.Resent, c.nodes[1].Stats().NaksSent)
	if s.Resent > lost()*11/10 {
		t.Errorf("%d sent again for %d lost", s.Resent, lost())
	}
	if dup := c.nodes[1].stats.FramesDuplicate; dup > 10 {
		t.Errorf("%d pieces came twice", dup)
	}
}

func TestReorderedPacketsDrawNoNak(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(20 * time.Millisecond)})
	c.add(2)
	c.form(5 * time.Second)
	c.net.RunFor(2 * time.Second)
	before := c.sum(func(s *stats.Stats) uint64 { return s.NaksSent })
	c.net.Adjust(func(l *simnet.Link) { l.Reorder, l.ReorderDelay = 0.2, simnet.Constant(1500*time.Microsecond) })
	for i := range 1000 {
		c.do(0, func(now time.Time) { _ = c.nodes[0].Broadcast(now, fmt.Append(nil, "message ", i)) })
		c.net.RunFor(time.Millisecond)
	}
	c.net.RunFor(5 * time.Second)
	if c.net.Stats().Reordered == 0 {
		t.Fatal("nothing was reordered")
	}
	if n := c.sum(func(s *stats.Stats) uint64 { return s.NaksSent }) - before; n != 0 {
		t.Errorf("%d Naks", n)
	}
}

// Naks and their answers are lost as well, and are not requested indefinitely: after a transfer fewer than one per
// heartbeat remain.
func TestNaksDieOutOnALossyLink(t *testing.T) {
	for _, loss := range []float64{0.2, 0.4} {
		c := pair(t)
		c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
		c.do(0, func(now time.Time) {
			if err := c.nodes[0].Broadcast(now, []byte(payload(1<<20, 1))); err != nil {
				t.Fatal(err)
			}
		})
		c.net.RunFor(40 * time.Second)
		before := c.sum(func(s *stats.Stats) uint64 { return s.SentDatagrams })
		c.net.RunFor(time.Minute)
		after := c.sum(func(s *stats.Stats) uint64 { return s.SentDatagrams })
		t.Logf("loss %v: %d datagrams in a minute of rest", loss, after-before)
		if after-before > 120*4 {
			t.Errorf("loss %v: %d datagrams in a minute of rest", loss, after-before)
		}
	}
}

func TestNonsenseOfAPeerIsNotAnsweredWithMore(t *testing.T) {
	c := pair(t)
	c.broadcast(0, "something to ask for", 100*time.Millisecond)
	a, b := c.nodes[0], c.nodes[1]
	nak := func(start, end uint32) (resent uint64) {
		before := a.Stats().Resent
		c.do(1, func(now time.Time) {
			b.sender.SendPlain(now, &b.links[0].Peer, wire.AppendNak(nil, b.newID(), start, end))
		})
		c.net.RunFor(50 * time.Millisecond)
		return a.Stats().Resent - before
	}
	sent := uint32(a.links[0].Packets.Channel(c.net.Now()).Sent())
	for _, r := range [][2]uint32{{0, 1 << 31}, {sent + 1, sent + 100}, {5, 4}, {sent, sent + 5000}, {1 << 31, 1<<31 + 3}} {
		if n := nak(r[0], r[1]); n != 0 {
			t.Errorf("%v: %d sent again", r, n)
		}
	}
	if a.Stats().Dropped[stats.DropUnexpected] < 4 {
		t.Errorf("counted %d", a.Stats().Dropped[stats.DropUnexpected])
	}
	if n := nak(1, sent+1); n != 1 {
		t.Errorf("%d sent again, want the one message", n)
	}
	for range 5 {
		if n := nak(1, sent+1); n != 0 {
			t.Errorf("%d sent again although they were before", n)
		}
	}
	c.do(1, func(now time.Time) {
		plain := wire.AppendReport(nil, b.newID(), wire.Report{Highest: 1 << 40, Lowest: 1, Bytes: 1 << 50})
		plain = wire.AppendReport(plain, b.newID(), wire.Report{Highest: 1, Lowest: 1 << 60, Bytes: 1 << 50})
		plain = wire.AppendSettled(plain, b.newID(), wire.Settled{Start: 7, End: 3})
		plain = wire.AppendSettled(plain, b.newID(), wire.Settled{Start: 1 << 31, End: 1<<31 + 9})
		plain = wire.AppendDirectAck(plain, b.newID(), wire.DirectAck{Upto: 1 << 30, Next: 1})
		b.sender.SendPlain(now, &b.links[0].Peer, plain)
	})
	c.broadcast(0, "goes on", time.Second)
}

// Boxes of a gwyh 0.1 node have no packet numbers that could be missing (PROTOCOL.md L2).
func TestLegacyNodeIsNeverAskedAgain(t *testing.T) {
	c, o := withOld(t)
	for i := range 10 {
		o.seq += 7
		id := wire.MessageID{byte(i), 6: 0x40}
		for _, m := range append(o.says(c, wire.AppendBroadcast(nil, wire.Arrays, id, []byte("hello"))),
			o.says(c, wire.AppendFrame(nil, wire.Arrays, id, 1000, 10, []byte("piece")))...) {
			if m.Kind == wire.KindNak || m.Kind.IsExtension() {
				t.Errorf("it was sent a %s", m.Kind)
			}
		}
		c.net.RunFor(100 * time.Millisecond)
	}
	if n := c.nodes[0].Stats().NaksSent; n != 0 {
		t.Errorf("%d Naks", n)
	}
}

// Messages in progress when a link comes up are sent along it as well.
func TestNodeThatJoinsAmidALargeMessageGetsIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(20 * time.Millisecond), Rate: 50 * simnet.Mbit, Queue: 256 << 10})
	c.add(5)
	c.form(5 * time.Second)
	msg := []byte(payload(8<<20, 1))
	c.do(0, func(now time.Time) {
		if err := c.nodes[0].Broadcast(now, msg); err != nil {
			t.Fatal(err)
		}
	})
	c.net.RunFor(300 * time.Millisecond)
	c.add(1)
	c.join(5, 2)
	c.net.RunFor(20 * time.Second)
	c.exactlyOnce(0, msg)
	c.net.RunFor(10 * time.Second)
	c.quiet()
}

func TestNodeThatIsCutOffAmidALargeMessageGetsItAfterwards(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(20 * time.Millisecond), Rate: 50 * simnet.Mbit, Queue: 256 << 10})
	c.add(8)
	c.form(5 * time.Second)
	msg := []byte(payload(4<<20, 1))
	c.do(0, func(now time.Time) {
		if err := c.nodes[0].Broadcast(now, msg); err != nil {
			t.Fatal(err)
		}
	})
	c.net.RunFor(300 * time.Millisecond)
	all := c.net.Hosts()
	cut := c.net.Partition(all[:7], all[7:])
	c.net.RunFor(2 * time.Second)
	cut.Heal()
	c.net.RunFor(20 * time.Second)
	c.exactlyOnce(0, msg)
	c.net.RunFor(30 * time.Second)
	c.quiet()
}

// Many messages of several datagrams at once share the links and the transfers that a peer admits.
func TestManyLargeMessagesAtOnceAllArrive(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(20 * time.Millisecond), Rate: 100 * simnet.Mbit, Queue: 256 << 10, Loss: 0.02})
	c.add(6)
	c.form(5 * time.Second)
	c.net.RunFor(2 * time.Second)
	sizes := []int{2000, 5000, 20_000, 70_000, 300_000}
	var messages [][]byte
	for i := range 120 {
		msg := []byte(payload(sizes[i%5], byte(i)))
		origin := i % 6
		c.do(origin, func(now time.Time) {
			if err := c.nodes[origin].Broadcast(now, msg); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		})
		messages = append(messages, msg)
		c.net.RunFor(2 * time.Millisecond)
	}
	c.net.RunFor(20 * time.Second)
	for i, msg := range messages {
		c.exactlyOnce(i%6, msg)
	}
	t.Logf("refused by receivers: %d, by links: %d", c.dropped(stats.DropStoreFull), c.dropped(stats.DropQueueFull))
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
	c.net.RunFor(20 * time.Second)
	c.quiet()
}

func TestLargeMessageOfANodeThatLeavesArrives(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(6)
	c.form(5 * time.Second)
	c.net.RunFor(2 * time.Second)
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.05 })
	msg := []byte(payload(1<<20, 1))
	c.do(3, func(now time.Time) {
		if err := c.nodes[3].Broadcast(now, msg); err != nil {
			t.Fatal(err)
		}
		c.nodes[3].Leave(now)
	})
	c.net.RunFor(10 * time.Second)
	c.exactlyOnce(3, msg)
}

// The path takes only small datagrams, and the system reports an error for others: what was refused is repaired in
// smaller pieces, and later messages are cut to fit.
func TestDatagramTooBigForThePathMakesTheNextSmaller(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.DatagramSize = 9000 }
	c.add(2)
	c.form(time.Second)
	n, to := c.nodes[0], c.nodes[1]
	p := n.peers[to.cfg.ID]
	c.broadcast(0, payload(5000, 0), time.Second)
	if p.Packets.Path().Usable() != 9000 {
		t.Fatalf("datagrams of up to %d bytes", p.Packets.Path().Usable())
	}
	c.do(0, func(now time.Time) {
		for range 10 {
			n.Refused(now, p.Sessions.Path(), 9000, true)
		}
	})
	c.net.RunFor(time.Millisecond)
	if p.Packets.Path().Size() != pmtu.Min {
		t.Fatalf("datagrams of up to %d bytes", p.Packets.Path().Size())
	}
	c.broadcast(0, payload(100_000, 1), 5*time.Second)
	c.broadcast(0, payload(3_000, 2), 5*time.Second)
	c.do(0, func(now time.Time) { n.Refused(now, p.Sessions.Path(), 1000, false) })
	c.broadcast(0, payload(100_000, 3), 5*time.Second)
}

// A message that is queued for a peer and arrives from it meanwhile is not sent to it.
func TestQueuedBroadcastThatThePeerHasIsNotSent(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	n, o := c.nodes[0], c.nodes[1]
	p := n.peers[o.cfg.ID]
	var ids []wire.MessageID
	var list []packets.Queued
	c.do(0, func(now time.Time) {
		for i := range 100 {
			ids = append(ids, n.ids.Broadcast())
			m := n.sender.NewSmall(now, wire.AppendCast(nil, wire.KindCast, ids[i], 0, fmt.Append(nil, "message ", i)))
			list = append(list, packets.Queued{Ref: m.Ref, At: now})
		}
		p.Packets.PutBack(list)
		for _, id := range ids[:60] {
			p.Packets.Spare(id)
		}
		p.Packets.Spare(ids[60])
		p.Packets.Spare(ids[99])
		n.sender.Pump(now, &p.Peer)
		if p.Packets.Waiting() != 0 || p.Packets.Backlog() != 0 {
			t.Errorf("%d wait, of %d bytes", p.Packets.Waiting(), p.Packets.Backlog())
		}
	})
	c.net.RunFor(time.Second)
	if len(o.got) != 38 {
		t.Errorf("%d messages arrived, want 38", len(o.got))
	}
}

// If nothing else is sent, only the next heartbeat shows the receiver that a message is missing, or the one after that
// if the first heartbeat is lost as well. The sender must keep the message until then. In seeds 4001 and 9001 nothing else is
// sent for so long that the sender has forgotten its packets.
func TestQuietMessageThatWasLostIsRepairedWhereverItFellBetweenTwoHeartbeats(t *testing.T) {
	type when struct {
		heartbeatLost bool
		beat          time.Duration
		seed          uint64
	}
	for _, x := range []when{
		{false, time.Second, 1}, {false, 5 * time.Second, 1}, {false, 30 * time.Second, 1},
		{true, time.Second, 1}, {true, 5 * time.Second, 1}, {true, 30 * time.Second, 1}, {true, 30 * time.Second, 4001}, {true, 30 * time.Second, 9001},
	} {
		for since := time.Duration(0); since < x.beat; since += x.beat / 20 {
			t.Run(fmt.Sprint("heartbeat lost ", x.heartbeatLost, " beat ", x.beat, " seed ", x.seed, " after ", since), func(t *testing.T) {
				t.Parallel()
				c := beatingOf(t, x.seed, 2, 0, x.beat)
				c.net.RunFor(since)
				n := c.nodes[0]
				lost := c.net.Block(c.addrs(0, 1), c.addrs(1, 2))
				c.do(0, func(now time.Time) {
					if err := n.Broadcast(now, []byte("lost at first")); err != nil {
						t.Fatal(err)
					}
				})
				if x.heartbeatLost {
					next := n.links[0].Beat
					c.net.RunFor(next.Sub(c.net.Now()) + time.Millisecond)
				}
				lost.Heal()
				c.net.RunFor(3 * x.beat)
				c.exactlyOnce(0, []byte("lost at first"))
			})
		}
	}
}

// Traffic on other links must not evict a message that may have been lost.
func TestQuietMessageThatWasLostIsRepairedThoughOtherLinksAreBusy(t *testing.T) {
	c := beating(t, 3, 0, 5*time.Second)
	c.net.RunFor(c.nodes[0].links[0].Beat.Sub(c.net.Now()) + time.Millisecond)
	send := func(to int, msg string) {
		c.do(0, func(now time.Time) {
			if _, err := c.nodes[0].Send(now, c.nodes[to].addr, []byte(msg), false, now.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		})
	}
	lost := c.net.Block(c.addrs(0, 1), c.addrs(1, 2))
	send(1, "lost at first")
	lost.Heal()
	for i := range 400 {
		send(2, payload(1000, byte(i)))
		c.net.RunFor(15 * time.Millisecond)
	}
	if got := c.nodes[1].got["lost at first"]; got != 1 {
		t.Errorf("it came %d times", got)
	}
}
