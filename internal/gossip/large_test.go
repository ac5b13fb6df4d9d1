package gossip

import (
	"encoding/binary"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// full runs the tests of large messages at the sizes that docs/PERFORMANCE.md quotes.
var full = flag.Bool("full", false, "run the measurements of large messages at full size, which takes many minutes")

// sized returns whole if the flag full is set, and small otherwise.
func sized(whole, small int) int {
	if *full {
		return whole
	}
	return small
}

// brief returns short with -short, and usual otherwise.
func brief(usual, short int) int {
	if testing.Short() {
		return short
	}
	return usual
}

// gigabit returns a link of 1 Gbit/s and 20 ms with a queue of 256 KiB.
func gigabit() simnet.Link {
	return simnet.Link{Latency: simnet.Constant(20 * time.Millisecond), Rate: simnet.Gbit, Queue: 256 << 10}
}

// spread sends a message from node i. It returns how long the last of the other nodes took to receive it, or zero if a
// node did not receive it.
func (c *cluster) spread(i int, msg []byte, within time.Duration) time.Duration {
	c.t.Helper()
	begin, before := c.net.Now(), c.arrived
	c.do(i, func(now time.Time) {
		if err := c.nodes[i].Broadcast(now, msg); err != nil {
			c.t.Fatal(err)
		}
	})
	if !c.net.RunUntil(within, func() bool { return c.arrived-before >= len(c.nodes)-1 }) {
		return 0
	}
	return c.net.Now().Sub(begin)
}

// exactlyOnce checks that all nodes except the origin received a message once.
func (c *cluster) exactlyOnce(origin int, msg []byte) {
	c.t.Helper()
	name := key(msg)
	for k, n := range c.nodes {
		want := 1
		if k == origin {
			want = 0
		}
		if got := n.got[name]; got != want {
			c.t.Errorf("node %d got %s %d times, want %d", k, name, got, want)
		}
	}
}

// quiet checks that no node keeps anything of past messages.
func (c *cluster) quiet() {
	c.t.Helper()
	for i, n := range c.nodes {
		if n.broadcast.Store.Len() != 0 || n.broadcast.Store.Size() != 0 {
			c.t.Errorf("node %d holds %d messages of %d bytes", i, n.broadcast.Store.Len(), n.broadcast.Store.Size())
		}
		if waiting, awaited := n.direct.Sender.Len(); waiting+awaited+n.direct.Sender.Kept() != 0 {
			c.t.Errorf("node %d has %d direct messages without a session and %d to be acknowledged, of %d bytes", i, waiting, awaited, n.direct.Sender.Kept())
		}
		for _, p := range n.peers {
			switch {
			case len(p.Packets.Transfers()) != 0:
				c.t.Errorf("node %d to %s: %v transfers are left, want 0", i, p.ID, len(p.Packets.Transfers()))
			case p.Packets.Waiting() != 0:
				c.t.Errorf("node %d to %s: %v messages wait, want 0", i, p.ID, p.Packets.Waiting())
			case p.Packets.Backlog() != 0:
				c.t.Errorf("node %d to %s: %v bytes wait, want 0", i, p.ID, p.Packets.Backlog())
			case p.Packets.Paused():
				c.t.Errorf("node %d to %s: the pacing holds back something", i, p.ID)
			}
			if got := p.Packets.Remembered(); got > 4*32 {
				c.t.Errorf("node %d to %s: %d packets are remembered", i, p.ID, got)
			}
			if ch := p.Packets.Channel(c.net.Now()); ch != nil && ch.Missing() {
				c.t.Errorf("node %d to %s: still asks", i, p.ID)
			}
		}
	}
}

// dropped returns the sum of a drop counter over all nodes.
func (c *cluster) dropped(d stats.Drop) (n uint64) {
	for _, nd := range c.nodes {
		n += nd.Stats().Dropped[d]
	}
	return n
}

// sum returns the sum of a counter over all nodes.
func (c *cluster) sum(of func(*stats.Stats) uint64) (n uint64) {
	for _, nd := range c.nodes {
		s := nd.Stats()
		n += of(&s)
	}
	return n
}

func quantile(d []time.Duration, q float64) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[int(q*float64(len(d)-1))]
}

// The message arrives exactly once everywhere, and at 5 % loss within twice the time.
func TestOneMebibyteReachesAllAtAnyLoss(t *testing.T) {
	var lossless time.Duration
	for _, loss := range []float64{0, 0.01, 0.05, 0.10} {
		c := newCluster(t, 1, gigabit())
		c.add(sized(100, 12))
		c.form(5 * time.Second)
		c.net.RunFor(5 * time.Second)
		c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
		var took []time.Duration
		before := c.sum(func(s *stats.Stats) uint64 { return s.SentBytes })
		const size = 1 << 20
		for i := range sized(50, 1) {
			msg := []byte(payload(size, byte(i)))
			origin := i * 37 % len(c.nodes)
			last := c.spread(origin, msg, 30*time.Second)
			c.net.RunFor(3 * time.Second)
			c.exactlyOnce(origin, msg)
			took = append(took, last)
		}
		bytes := c.sum(func(s *stats.Stats) uint64 { return s.SentBytes }) - before
		median, most := quantile(took, 0.5), slices.Max(took)
		t.Logf("%d nodes, loss %2.0f %%, %d messages: last node after %v (median), %v (most); each byte sent %.1f times a node; %d resent, %d naks, %d given up",
			len(c.nodes), 100*loss, len(took), median, most, float64(bytes)/float64(len(took)*size*(len(c.nodes)-1)),
			c.sum(func(s *stats.Stats) uint64 { return s.Resent }), c.sum(func(s *stats.Stats) uint64 { return s.NaksSent }), c.sum(func(s *stats.Stats) uint64 { return s.DatagramsLost }))
		if loss == 0 {
			lossless = median
		} else if loss <= 0.05 && median > 2*lossless {
			t.Errorf("at loss %v the last node got it after %v, without after %v", loss, median, lossless)
		}
		c.net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
		c.net.RunFor(15 * time.Second)
		c.quiet()
	}
}

// numbered returns a small message that contains the time when it was sent.
func numbered(now time.Time, i int) []byte {
	b := fmt.Appendf(nil, "small message %08d ", i)
	return binary.BigEndian.AppendUint64(b, uint64(now.UnixNano()))
}

// stream sends small messages from all nodes in turn and returns how long each took to reach the last node.
func (c *cluster) stream(count int, every time.Duration) []time.Duration {
	c.t.Helper()
	var sent []string
	var at []time.Time
	refused := 0
	for i := range count {
		origin := i % len(c.nodes)
		c.do(origin, func(now time.Time) {
			msg := numbered(now, i)
			if c.nodes[origin].Broadcast(now, msg) != nil {
				refused++
				return
			}
			sent, at = append(sent, string(msg)), append(at, now)
		})
		c.net.RunFor(every)
	}
	c.net.RunFor(2 * time.Second)
	if refused > 0 {
		c.t.Errorf("%d of %d small messages refused", refused, count)
	}
	var last []time.Duration
	for i, msg := range sent {
		var most time.Duration
		heard := 0
		for _, n := range c.nodes {
			if n.got[msg] == 1 {
				heard++
				most = max(most, n.at[msg].Sub(at[i]))
			}
		}
		if heard != len(c.nodes)-1 {
			c.t.Errorf("%s was heard by %d of %d", msg[:22], heard, len(c.nodes)-1)
			continue
		}
		last = append(last, most)
	}
	return last
}

// Datagrams that are sent together overtake each other, and a node has little to send between two large messages. Neither
// makes the next one slow: the links find their rates in a few milliseconds and keep them.
func TestLargeMessagesAfterARestAreQuick(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{100 * time.Microsecond, 500 * time.Microsecond, 2 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(latency), Jitter: simnet.Exponential(latency/20, 0)})
			c.add(10)
			c.form(5 * time.Second)
			var longest time.Duration
			for i := range 20 {
				c.net.RunFor(500 * time.Millisecond)
				longest = max(longest, c.spread(i*7%10, []byte(payload(256<<10, byte(i))), 2*time.Second))
			}
			t.Logf("256 KiB arrive everywhere within %v", longest)
			if most := 30*time.Millisecond + 40*latency; longest > most {
				t.Errorf("256 KiB took up to %v, want at most %v", longest, most)
			}
		})
	}
}

// The nodes send 1,000 small messages per second, with and without a large one (16 MiB at full size) among them.
func TestSmallMessagesDoNotWaitForALargeOne(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(sized(100, 8))
	c.form(5 * time.Second)
	c.net.RunFor(5 * time.Second)
	alone := c.stream(sized(1000, 300), time.Millisecond)
	msg := []byte(payload(sized(MessageMax, MessageMax/4), 1))
	c.do(3, func(now time.Time) {
		if err := c.nodes[3].Broadcast(now, msg); err != nil {
			t.Fatal(err)
		}
	})
	begin := c.net.Now()
	both := c.stream(sized(1000, 300), time.Millisecond)
	c.net.RunFor(5 * time.Second)
	c.exactlyOnce(3, msg)
	var large time.Duration
	for i, n := range c.nodes {
		if i != 3 {
			large = max(large, n.at[key(msg)].Sub(begin))
		}
	}
	a, b := quantile(alone, 0.99), quantile(both, 0.99)
	t.Logf("%d nodes: last node of a small message, 99th percentile: alone %v, beside a large one %v; that of %d bytes took %v", len(c.nodes), a, b, len(msg), large)
	if b > a*3/2 {
		t.Errorf("99th percentile %v beside a large message, %v alone", b, a)
	}
}

// A bottleneck of 10 Mbit/s with a queue of 64 KB lies between nodes 0 and 1, and between 2 and 3.
func TestBottleneckIsUsedSharedAndNotFlooded(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(6)
	c.form(5 * time.Second)
	c.net.RunFor(5 * time.Second)
	send := func(from, to, size int, salt byte) (begin time.Time) {
		c.do(from, func(now time.Time) {
			begin = now
			if _, err := c.nodes[from].Send(now, c.nodes[to].addr, []byte(payload(size, salt)), true, now.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		})
		return begin
	}
	beside := func(salt byte) time.Duration {
		before := len(c.nodes[0].sent)
		begin := send(0, 4, 4<<20, salt)
		c.net.RunUntil(20*time.Second, func() bool { return len(c.nodes[0].sent) > before })
		return c.net.Now().Sub(begin)
	}
	alone := beside(1)

	pipe := simnet.NewPipe(10*simnet.Mbit, 64_000)
	for _, pair := range [][2]int{{0, 1}, {2, 3}} {
		c.net.SetLink(c.nodes[pair[0]].addr, c.nodes[pair[1]].addr, simnet.Link{Latency: simnet.Constant(20 * time.Millisecond), Pipe: pipe})
	}
	seconds := sized(12, 8)
	run := func() (share float64, lost float64) {
		before := pipe.Stats()
		c.net.RunFor(time.Duration(seconds) * time.Second)
		after := pipe.Stats()
		return float64(after.SentBytes-before.SentBytes) * 8 / (10e6 * float64(seconds)),
			float64(after.Dropped-before.Dropped) / float64(after.Sent+after.Dropped-before.Sent-before.Dropped)
	}
	send(0, 1, MessageMax, 2)
	share, lost := run()
	t.Logf("one flow over %d s: %.0f %% of the bottleneck used, %.1f %% lost", seconds, 100*share, 100*lost)
	if share < 0.8 || lost > 0.05 {
		t.Errorf("one flow: used %.2f, lost %.3f", share, lost)
	}
	crowded := beside(3)
	t.Logf("4 MiB from the same node to another: %v, before %v", crowded, alone)
	if crowded > alone*3/2 {
		t.Errorf("another link is hurt: %v, before %v", crowded, alone)
	}
	c.net.RunFor(20 * time.Second)

	send(0, 1, MessageMax, 4)
	c.net.RunFor(2 * time.Second)
	send(2, 3, MessageMax, 5)
	c.net.RunFor(2 * time.Second)
	first, second := c.nodes[1].Stats().ReceivedBytes, c.nodes[3].Stats().ReceivedBytes
	share, lost = run()
	a, b := float64(c.nodes[1].Stats().ReceivedBytes-first), float64(c.nodes[3].Stats().ReceivedBytes-second)
	t.Logf("two flows over %d s: %.0f %% used, %.1f %% lost, shared %.0f:%.0f", seconds, 100*share, 100*lost, 100*a/(a+b), 100*b/(a+b))
	switch {
	case share < 0.8:
		t.Errorf("two flows: the share of the bottleneck is %v, want at least 0.8", share)
	case lost > 0.05:
		t.Errorf("two flows: the share of lost datagrams is %v, want at most 0.05", lost)
	case a/(a+b) < 0.4:
		t.Errorf("two flows: the share of the first flow is %v, want at least 0.4", a/(a+b))
	case a/(a+b) > 0.6:
		t.Errorf("two flows: the share of the first flow is %v, want at most 0.6", a/(a+b))
	}
}

// chunkSize is the step in bytes by which memory grows while a message arrives.
const chunkSize = 64 << 10

// footprint returns the size of a node's large messages in bytes.
func footprint(n *node) (size int) {
	for a := range n.broadcast.Store.All {
		size += a.Allocated() + 24*int(a.Total/chunkSize+1) + 8*cap(a.Have) + 160
	}
	for _, p := range n.peers {
		for _, b := range p.Packets.Transfers() {
			size += 8*b.Ranges() + 96
		}
	}
	return size
}

func TestReceiverThatTakesNothingForFiveSecondsHurtsNobody(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, gigabit())
	c.add(sized(100, 10))
	c.form(5 * time.Second)
	c.net.RunFor(5 * time.Second)
	last := len(c.nodes) - 1
	deaf := c.nodes[last]
	send := func(salt byte) ([]byte, time.Duration) {
		msg := []byte(payload(1<<20, salt))
		begin, before := c.net.Now(), c.arrived
		c.do(0, func(now time.Time) {
			if err := c.nodes[0].Broadcast(now, msg); err != nil {
				t.Fatal(err)
			}
		})
		c.net.RunUntil(900*time.Millisecond, func() bool { return c.arrived-before >= last-1 })
		took := c.net.Now().Sub(begin)
		c.net.RunFor(time.Second - took)
		return msg, took
	}
	var usual time.Duration
	for i := range 5 {
		if _, took := send(byte(10 + i)); i > 1 { // the links have reached their rates
			usual = max(usual, took)
		}
	}
	c.net.Pause(deaf.addr)
	var messages [][]byte
	var most time.Duration
	memory := 0
	for i := range 5 {
		msg, took := send(byte(i + 1))
		messages = append(messages, msg)
		most = max(most, took)
		for _, n := range c.nodes {
			memory = max(memory, footprint(n))
		}
	}
	c.net.Resume(deaf.addr)
	c.net.RunFor(10 * time.Second)
	got := 0
	for i, msg := range messages {
		name := key(msg)
		for k, n := range c.nodes[1:last] {
			if n.got[name] != 1 {
				t.Errorf("node %d got message %d %d times", k+1, i, n.got[name])
			}
		}
		got += deaf.got[name]
	}
	s := deaf.Stats()
	gone := c.dropped(stats.DropQueueOld) + c.dropped(stats.DropQueueFull) + c.dropped(stats.DropUnreachable) + s.DatagramsLost + s.Dropped[stats.DropIncomplete]
	t.Logf("%d nodes: last of the others after %v, before %v; the deaf one got %d of %d; most memory %d KiB; counted as lost: %d", len(c.nodes), most, usual, got, len(messages), memory>>10, gone)
	if most > 2*usual {
		t.Errorf("the others waited %v, before %v", most, usual)
	}
	if memory > assembly.StoreMax {
		t.Errorf("a node held %d bytes", memory)
	}
	dead := c.nodes[0].count(event.Leave, deaf.cfg.Name) > 0 // what was sent then was not meant for it
	if got < len(messages) && gone == 0 && !dead {
		t.Error("lost messages are in no counter")
	}
	c.net.RunFor(assembly.AnnouncedAge + 5*time.Second)
	c.quiet()
}

func TestDeclaredMessagesThatNeverComeTakeNoMemory(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(5 * time.Second)
	liar := c.nodes[4]
	memory, honest := 0, 0
	for i := range sized(10_000, 2500) {
		c.do(4, func(now time.Time) {
			plain := wire.AppendFrame(nil, wire.Bin, liar.ids.Broadcast(), MessageMax, uint32(i)*4096%(MessageMax-4096), make([]byte, 1000))
			for _, p := range liar.links {
				p.Packets.Channel(now).Send(now, p.Sessions.Path(), plain)
			}
		})
		c.net.RunFor(time.Millisecond)
		if i%500 == 250 {
			before := c.arrived
			c.do(0, func(now time.Time) {
				if err := c.nodes[0].Broadcast(now, []byte(payload(100_000, byte(i/500)))); err != nil {
					t.Fatal(err)
				}
			})
			honest += len(c.nodes) - 1
			c.net.RunUntil(200*time.Millisecond, func() bool { return c.arrived-before == len(c.nodes)-1 })
			if c.arrived-before != len(c.nodes)-1 {
				t.Errorf("an honest message reached %d", c.arrived-before)
			}
		}
		if i%100 == 0 {
			for _, n := range c.nodes {
				memory = max(memory, footprint(n))
			}
		}
	}
	t.Logf("most memory %d KiB, honest messages delivered %d of %d", memory>>10, c.arrived, honest)
	if memory > 1<<20 {
		t.Errorf("%d bytes held", memory)
	}
	c.net.RunFor(40 * time.Second)
	c.quiet()
}
