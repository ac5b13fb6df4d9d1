package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// burst makes node i broadcast n messages in one turn of its loop.
func (c *cluster) burst(i, n int, name string) {
	c.t.Helper()
	c.do(i, func(now time.Time) {
		for k := range n {
			if err := c.nodes[i].Broadcast(now, fmt.Append(nil, name, k)); err != nil {
				c.t.Fatal(err)
			}
		}
	})
}

// heard checks that a node received each message of a burst once.
func (c *cluster) heard(i, n int, name string) {
	c.t.Helper()
	for k := range n {
		if got := c.nodes[i].got[fmt.Sprint(name, k)]; got != 1 {
			c.t.Errorf("node %d got message %s%d %d times", i, name, k, got)
		}
	}
}

func TestMessagesOfOneTurnShareADatagram(t *testing.T) {
	c := pair(t)
	before := c.nodes[0].stats.SentDatagrams
	c.burst(0, 20, "message ")
	if n := c.nodes[0].stats.SentDatagrams - before; n != 1 {
		t.Errorf("%d datagrams for 20 small messages of one turn, want 1", n)
	}
	c.net.RunFor(100 * time.Millisecond)
	c.heard(1, 20, "message ")
}

func TestNoDatagramIsLargerThanItMayBe(t *testing.T) {
	c := pair(t)
	c.broadcast(0, payload(1288, 0), time.Second) // the path is known to carry datagrams of the configured size
	most := 0
	c.do(0, func(now time.Time) {
		for k := range 50 {
			if err := c.nodes[0].Broadcast(now, []byte(payload(37*k%1200+10, byte(k)))); err != nil {
				t.Fatal(err)
			}
		}
		c.nodes[0].Flush(now)
		c.nodes[0].Drain(now, func(_ wire.Path, b []byte) { most = max(most, len(b)) })
	})
	if most > 1400 || most < 1200 {
		t.Errorf("largest datagram of %d bytes", most)
	}
	c.net.RunFor(3 * time.Second) // the next heartbeat shows what was lost
	if n := len(c.nodes[1].got); n != 51 {
		t.Errorf("%d of 51 messages came", n)
	}
}

// A lost datagram is repaired with all its messages, even if they are not adjacent in the arena.
func TestSharedDatagramsAreRepaired(t *testing.T) {
	for _, apart := range []bool{false, true} {
		c := pair(t)
		n := c.nodes[0]
		c.net.Adjust(func(l *simnet.Link) { l.Loss = 1 })
		c.do(0, func(now time.Time) {
			for k := range 10 {
				if apart {
					n.sender.Arena.Put(now, []byte("what another link carries"))
				}
				if err := n.Broadcast(now, fmt.Append(nil, "message ", k)); err != nil {
					t.Fatal(err)
				}
			}
		})
		c.net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
		c.net.RunFor(3 * time.Second)
		c.heard(1, 10, "message ")
		if n.Stats().Resent != 10 {
			t.Errorf("%d messages sent again, want 10", n.Stats().Resent)
		}
		c.quiet()
	}
}

// A message that arrives while a copy of it waits for the end of the turn is not sent back.
func TestCopyThatCameMeanwhileIsNotSent(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(3)
	c.form(5 * time.Second)
	n := c.nodes[0]
	a, b := n.links[0], n.links[1]
	before := n.stats.SentDatagrams
	c.do(0, func(now time.Time) {
		for k := range 6 {
			id := wire.MessageID{0: 9, 6: 0x80, 15: byte(k + 1)}
			m := &wire.Message{ID: id, Kind: wire.KindBroadcast, Data: []byte("hello")}
			n.broadcast.ReceiveBroadcast(now, &a.Peer, m)
			n.broadcast.ReceiveBroadcast(now, &b.Peer, m)
		}
	})
	if got := n.stats.SentDatagrams - before; got != 0 {
		t.Errorf("%d datagrams sent although both neighbors have the messages", got)
	}
	if b.Packets.HasOpen() {
		t.Error("messages are still to be sent")
	}
}

// Messages that waited for the pacing are sent in full datagrams.
// In half of the seeds a heartbeat announces the messages while they wait. The neighbor requests them, and must not get them
// twice.
func TestMessagesThatWaitedShareDatagrams(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := pairOf(t, seed)
			n := c.nodes[0]
			p := n.links[0]
			c.do(0, func(now time.Time) {
				for p.Packets.Pace().Wait(now, 50) == 0 {
					p.Packets.Pace().Sent(now, 1400)
				}
			})
			before := n.stats.SentDatagrams
			c.burst(0, 100, "a message that waits ")
			if p.Packets.Waiting() != 100 {
				t.Fatalf("%d messages wait", p.Packets.Waiting())
			}
			c.net.RunFor(3 * time.Second)
			c.heard(1, 100, "a message that waits ")
			if got := n.stats.SentDatagrams - before; got > 20 {
				t.Errorf("%d datagrams for 100 messages, of which 20 fit into one", got)
			}
			if got := c.nodes[1].stats.BroadcastsDuplicate; got > 21 { // those that are on their way when they are requested
				t.Errorf("%d came twice, want at most one datagram", got)
			}
		})
	}
}
