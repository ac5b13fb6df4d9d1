package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	packets "github.com/gwyh-go/gwyh/internal/peer"
)

// A node that wakes up may be a copy of a running node. If two nodes seal with the same packet numbers, they reveal their keys
// (PROTOCOL.md J4).
func TestNodeThatWokeUpSealsNothingUnderItsEarlierSessions(t *testing.T) {
	c := newCluster(t, 3, lan())
	c.add(8)
	c.form(3 * time.Second)
	c.net.RunFor(5 * time.Second)
	n := c.nodes[3]
	sent := map[*packets.Channel]uint64{}
	c.do(3, func(now time.Time) {
		for _, p := range n.peers {
			sent[p.Packets.Channel(now)] = p.Packets.Channel(now).Sent()
		}
		for _, other := range c.nodes {
			other.events = nil
		}
		n.Resume(now)
		if err := n.Broadcast(now, []byte("at once")); err != nil {
			t.Error(err)
		}
	})
	if !c.net.RunUntil(2*time.Second, func() bool { return c.whole() && n.fresh(c.net.Now(), sent) }) {
		t.Errorf("node 3 has %d links 2 s after it woke up, and %d subscriptions", len(n.links), n.Started())
	}
	c.net.RunFor(100 * time.Millisecond)
	for i, other := range c.nodes {
		if i != 3 && other.got["at once"] != 1 {
			t.Errorf("node %d has %d times what was broadcast before there were new sessions", i, other.got["at once"])
		}
	}
	for k := range 5 {
		c.broadcast(3, fmt.Sprint("from the one that woke up ", k), time.Second)
		c.broadcast(k, fmt.Sprint("to it ", k), time.Second)
	}
	c.net.RunFor(time.Minute)
	for ch, before := range sent {
		if ch.Sent() != before {
			t.Errorf("%d boxes were sealed under a session from before", ch.Sent()-before)
		}
	}
	for i, other := range c.nodes {
		for _, e := range other.events {
			if e.Kind == event.Leave || e.Kind == event.Join {
				t.Errorf("node %d: %v of %s", i, e.Kind, e.Member.Name)
			}
		}
	}
}

// fresh reports whether all links have a session that did not exist before.
func (n *node) fresh(now time.Time, before map[*packets.Channel]uint64) bool {
	for _, p := range n.links {
		ch := p.Packets.Channel(now)
		if _, old := before[ch]; ch == nil || old {
			return false
		}
	}
	return true
}
