package gossip

import (
	"testing"
	"time"
)

// A node without links keeps a session for some time, and sends nothing in it.
func TestJoinBesideASessionThatWasSilentForLongTakesNoLongerThanTheFirst(t *testing.T) {
	for _, silent := range []time.Duration{0, 25 * time.Second} {
		t.Run(silent.String(), func(t *testing.T) {
			c := newCluster(t, 1, lan())
			c.add(2)
			if silent > 0 {
				c.do(0, func(now time.Time) {
					if _, err := c.nodes[0].Send(now, c.nodes[1].addr, []byte("hello"), true, now.Add(5*time.Second)); err != nil {
						t.Fatal(err)
					}
				})
				c.net.RunFor(silent)
			}
			begun := c.net.Now()
			c.join(0, 1)
			for len(c.nodes[0].joined) == 0 && c.net.Now().Sub(begun) < 5*time.Second {
				c.net.RunFor(time.Millisecond)
			}
			if took := c.net.Now().Sub(begun); len(c.nodes[0].joined) != 1 || took > 50*time.Millisecond {
				t.Errorf("joined %d nodes after %v", len(c.nodes[0].joined), took)
			}
		})
	}
}
