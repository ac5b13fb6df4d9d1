package gossip

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An insider changes the metadata of members that it has invented again and again. Each change that a node accepts costs
// its application an event, and each of its links an entry (PROTOCOL.md M3).
func TestChangesThatAPeerInventsAreRationed(t *testing.T) {
	const members, seconds, rounds = 100, 10, 40 // of each second
	c := duo(t)
	n := c.nodes[0]
	var first time.Time
	c.do(0, func(now time.Time) { first = now })
	accepted := 0
	for i := range seconds * rounds {
		c.do(0, func(time.Time) {
			now := first.Add(time.Duration(i) * time.Second / rounds)
			w := wire.BeginMembers(nil, wire.MessageID{})
			for k := range members {
				e := inventedMember(first, k, 0)
				e.Incarnation += uint64(i)
				e.Meta = fmt.Append(nil, i)
				w.Append(e, 60_000)
			}
			c.hand(now, w.End())
			for k := range members {
				if m := n.members.Get(inventedMember(first, k, 0).ID); m != nil && i > 0 && string(m.Meta) == fmt.Sprint(i) {
					accepted++
				}
			}
		})
	}
	const sent, most = members * (seconds*rounds - 1), 16_384 + seconds*256
	t.Logf("%d of %d changes accepted", accepted, sent)
	if accepted > most {
		t.Errorf("%d changes accepted, want at most %d", accepted, most)
	}
	if dropped := n.Stats().Dropped[stats.DropOversize]; dropped < sent-most {
		t.Errorf("%d changes counted as dropped, want at least %d", dropped, sent-most)
	}
}

// All members of a cluster change their metadata at once, several times in a second, and half of them are restarted one
// after the other meanwhile: no entry is held back, and all nodes soon have the last ones.
func TestHonestChangesAreNotRationed(t *testing.T) {
	n, changes := brief(100, 20), 10
	c := newCluster(t, 1, lan())
	c.add(n)
	c.form(10 * time.Second)
	c.net.RunFor(5 * time.Second)
	meta := func(i, round int) []byte { return fmt.Appendf(nil, "node %d in round %d", i, round) }
	for round := range changes {
		for i := range n {
			c.do(i, func(now time.Time) {
				if err := c.nodes[i].SetMeta(now, meta(i, round)); err != nil {
					t.Fatal(err)
				}
			})
		}
		for i := n - 1 - round; i >= 0; i -= 2 * changes {
			c.net.Crash(c.nodes[i].addr)
			c.restart(i)
		}
		c.net.RunFor(100 * time.Millisecond)
	}
	for i := range n {
		c.do(i, func(now time.Time) { _ = c.nodes[i].SetMeta(now, meta(i, changes)) })
	}
	late := func() (count int) {
		for _, o := range c.nodes {
			for i := range n {
				if m := o.members.Named(fmt.Sprintf("node-%d", i)); m == nil || !bytes.Equal(m.Meta, meta(i, changes)) {
					count++
				}
			}
		}
		return count
	}
	began := c.net.Elapsed()
	for range 100 {
		if late() > 0 {
			c.net.RunFor(100 * time.Millisecond)
		}
	}
	if late() > 0 {
		t.Errorf("%d of %d entries are not the last ones after 10 s", late(), n*n)
	}
	t.Logf("%d nodes have the last entry of each after %v", n, c.net.Elapsed()-began)
	for _, o := range c.nodes {
		if o.members.Rationed > 0 {
			t.Errorf("%s has held %d entries back", o.cfg.Name, o.members.Rationed)
		}
	}
}
