package gossip

import (
	"fmt"
	"testing"
	"time"
)

// A node that joins has the application state before it has links. It still receives messages sent in between.
func TestNewcomerGetsMessagesThatAreSentWhileItJoins(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(20)
	c.form(5 * time.Second)
	c.net.RunFor(20 * time.Second) // all nodes have been members for long
	c.add(1)
	c.join(20, 0)
	newcomer := c.nodes[20]
	const messages = 100
	for i := range messages {
		c.do(3, func(now time.Time) {
			if err := c.nodes[3].Broadcast(now, fmt.Appendf(nil, "message %d", i)); err != nil {
				t.Fatal(err)
			}
		})
		c.net.RunFor(time.Millisecond)
	}
	c.net.RunFor(3 * time.Second)
	for i := range messages {
		if n := newcomer.got[fmt.Sprint("message ", i)]; n != 1 {
			t.Errorf("message %d came %d times", i, n)
		}
	}

	// It does not receive older messages.
	c.add(1)
	c.net.RunFor(3 * time.Second)
	c.join(21, 0)
	c.net.RunFor(3 * time.Second)
	if n := len(c.nodes[21].got); n != 0 {
		t.Errorf("%d old messages came", n)
	}
}
