package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// startFormed adds n nodes that know each other from the start.
func startFormed(c *cluster, n int) *Table {
	c.t.Helper()
	var all []Member
	for i := range n {
		id, err := NewID(c.net.Reader(uint64(1000 + i)))
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, Member{ID: id, Name: fmt.Sprint("node-", i), Addr: testAddr(i), Incarnation: uint64(c.net.Now().UnixMilli())})
	}
	table := NewTable(c.net.Now(), all)
	c.tweak = func(i int, cfg *Config) { cfg.ID, cfg.Base = all[i].ID, table }
	c.add(n)
	return table
}

func TestNodesThatStartFormedAgreeAndLinkWithoutAJoin(t *testing.T) {
	c := newCluster(t, 1, lan())
	table := startFormed(c, 200)
	for i, n := range c.nodes {
		if n.members.root != c.nodes[0].members.root || n.members.count() != 200 {
			t.Fatalf("node %d has %d members and root %x", i, n.members.count(), n.members.root)
		}
	}
	if !c.net.RunUntil(10*time.Second, c.whole) {
		t.Fatal(c.missing())
	}
	c.broadcast(7, "hello", time.Second)
	rows := 0
	for _, n := range c.nodes {
		rows += len(n.members.byID)
	}
	if mean := rows / len(c.nodes); mean > 40 {
		t.Errorf("%d rows of its own for each node: most of the table is shared", mean)
	}

	c.do(3, func(now time.Time) { c.nodes[3].Leave(now) })
	c.net.RunFor(time.Second)
	fresh := NewTable(c.net.Now(), nil)
	for i, n := range c.nodes {
		if n.members.count() != 199 || n.members.named("node-3") != nil || n.members.get(c.nodes[3].cfg.ID).State != wire.StateLeft {
			t.Errorf("node %d has %d members after the leave", i, n.members.count())
		}
		fresh.root = 0
		for m := range n.members.each {
			fresh.root ^= m.digest()
		}
		if n.members.root != fresh.root {
			t.Errorf("node %d: the root is not that of its rows", i)
		}
	}
	for i := range table.rows {
		if table.rows[i].State != wire.StateAlive {
			t.Errorf("row %d of the shared table was written", i)
		}
	}
}
