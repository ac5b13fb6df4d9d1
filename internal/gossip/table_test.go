package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// startFormed adds n nodes that know each other from the start.
func startFormed(c *cluster, n int) *members.Base {
	c.t.Helper()
	var all []Member
	secrets := make([]*nodeid.Secret, n)
	for i := range n {
		id, secret, err := nodeid.New(c.net.Reader(uint64(1000+i)), nodeid.NoAgreement)
		if err != nil {
			c.t.Fatal(err)
		}
		secrets[i] = secret
		all = append(all, Member{ID: id, Name: fmt.Sprint("node-", i), Addr: testAddr(i), Incarnation: uint64(c.net.Now().UnixMilli())})
	}
	table := members.NewBase(c.net.Now(), all)
	c.tweak = func(i int, cfg *Config) { cfg.ID, cfg.Secret, cfg.Base = all[i].ID, secrets[i], table }
	c.add(n)
	return table
}

func TestNodesThatStartFormedAgreeAndLinkWithoutAJoin(t *testing.T) {
	c := newCluster(t, 1, lan())
	table := startFormed(c, 200)
	for i, n := range c.nodes {
		if n.members.Root(0) != c.nodes[0].members.Root(0) || n.members.Count() != 200 {
			t.Fatalf("node %d has %d members and root %x", i, n.members.Count(), n.members.Root(0))
		}
	}
	if !c.net.RunUntil(10*time.Second, c.whole) {
		t.Fatal(c.missing())
	}
	c.broadcast(7, "hello", time.Second)
	rows := 0
	for _, n := range c.nodes {
		rows += len(n.members.Live()) + n.members.CountTombstones()
	}
	if mean := rows / len(c.nodes); mean > 40 {
		t.Errorf("%d rows of its own for each node: most of the table is shared", mean)
	}

	c.do(3, func(now time.Time) { c.nodes[3].Leave(now) })
	c.net.RunFor(time.Second)
	for i, n := range c.nodes {
		if n.members.Count() != 199 || n.members.Named("node-3") != nil || n.members.Get(c.nodes[3].cfg.ID).State != wire.StateLeft {
			t.Errorf("node %d has %d members after the leave", i, n.members.Count())
		}
		if n.members.Root(0) != c.nodes[0].members.Root(0) {
			t.Errorf("node %d: the root is not that of node 0", i)
		}
	}
	untouched := members.NewTable(c.net.Now(), members.Config{Base: table, Self: Member{ID: wire.NodeID{1}}})
	for m := range untouched.Each {
		if m.State != wire.StateAlive {
			t.Errorf("the row of %v in the shared table was written", m)
		}
	}
}
