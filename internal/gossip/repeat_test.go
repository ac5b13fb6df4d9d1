package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// repeat sends a message that all other nodes had before from node i to one member.
func (c *cluster) repeat(i int, to wire.NodeID, msg string) {
	c.t.Helper()
	c.do(i, func(now time.Time) {
		if err := c.nodes[i].Repeat(now, to, []byte(msg), now.Add(10*time.Second)); err != nil {
			c.t.Fatal(err)
		}
	})
}

// PROTOCOL.md U6.
func TestRepeatReachesTheOneMemberThatItIsForWhateverItsSize(t *testing.T) {
	// A repeat is best effort: at a loss of 20 %, one in twenty messages of 1 MiB is given up.
	for size, loss := range map[int]float64{30: 0.2, 1400: 0.2, 1 << 20: 0.1} {
		c := newCluster(t, 1, gigabit())
		c.add(3)
		c.form(10 * time.Second)
		c.net.RunFor(5 * time.Second)
		c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
		msg := payload(size, 1)
		c.repeat(0, c.nodes[1].Self().ID, msg)
		c.net.RunFor(20 * time.Second)
		if n := c.nodes[1]; n.got[key(msg)] != 1 || n.repeats != 1 {
			t.Errorf("%d bytes came %d times, %d as a repeat", size, n.got[key(msg)], n.repeats)
		}
		if n := c.nodes[2].got[key(msg)]; n != 0 {
			t.Errorf("%d bytes came %d times to another", size, n)
		}
		if n := c.nodes[0].Stats().Repeated; n != 1 {
			t.Errorf("%d repeats counted", n)
		}
	}
}

func TestRepeatToNobodyIsNotSent(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(2)
	c.form(10 * time.Second)
	c.net.RunFor(5 * time.Second)
	c.repeat(0, wire.NodeID{1}, "unknown")
	c.repeat(0, c.nodes[0].Self().ID, "oneself")
	if n := c.nodes[0].Stats().Repeated; n != 0 {
		t.Errorf("%d repeats counted", n)
	}
}
