package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/peers"
)

// The keys of a live cluster are rotated node by node under traffic: add the new key everywhere, make it the primary,
// remove the old key.
func TestKeysAreRotatedWithoutLosingANodeOrAMessage(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(12)
	c.form(3 * time.Second)
	old, fresh := handshake.NewKey([]byte("insecure"), ""), handshake.NewKey([]byte("the new key"), "")
	messages := 0
	for _, ring := range [][]handshake.Key{{old, fresh}, {fresh, old}, {fresh}} {
		for i, n := range c.nodes {
			c.do(i, func(now time.Time) { n.SetKeys(now, ring) })
			messages++
			c.broadcast((i*5)%12, fmt.Sprint("message ", messages), 500*time.Millisecond)
		}
		c.net.RunFor(15 * time.Second)
	}
	if !c.whole() {
		t.Fatal(c.missing())
	}
	for i, n := range c.nodes {
		if left := n.count(event.Leave, ""); left != 0 {
			t.Errorf("node %d saw %d leaves", i, left)
		}
		for _, p := range n.hs.Sorted() {
			for at := range p.Sessions.Len() {
				if p.Sessions.At(at).Fingerprint() != fresh.ID() {
					t.Errorf("node %d still has a session of the removed key", i)
				}
			}
		}
	}
}

func TestRemovedKeyEndsTheSessionsOfThoseWhoHaveNoOther(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(3)
	c.form(3 * time.Second)
	fresh := []handshake.Key{handshake.NewKey([]byte("the new key"), "")}
	for i := range 2 {
		c.do(i, func(now time.Time) { c.nodes[i].SetKeys(now, fresh) })
	}
	c.net.RunFor(peers.KeyChange + time.Second)
	for i := range 2 {
		if p := c.nodes[i].peers[c.nodes[2].cfg.ID]; p != nil {
			t.Errorf("node %d still has %d sessions with the node that was left out", i, p.Sessions.Len())
		}
	}
	c.net.RunFor(time.Minute)
	if got := c.nodes[0].members.Count(); got != 2 {
		t.Errorf("node 0 has %d members, want 2", got)
	}
}

// A node that crashes before any node subscribed to it is declared dead by the node that it joined.
func TestNodeThatCrashesRightAfterItsJoinIsFoundDead(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(10)
	c.form(3 * time.Second)
	c.add(1)
	c.join(10, 0)
	c.net.RunUntil(time.Second, func() bool { return c.nodes[0].members.Count() == 11 })
	c.net.Crash(c.nodes[10].addr)
	c.net.RunFor(20 * time.Second)
	for i, n := range c.nodes[:10] {
		if n.members.Count() != 10 {
			t.Errorf("node %d has %d members, want 10", i, n.members.Count())
		}
	}
}
