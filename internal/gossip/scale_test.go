package gossip

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/nodeid"
)

// strangers returns a table of members that are not in the network.
func (c *cluster) strangers(n int) *members.Base {
	list := make([]Member, n)
	for i := range list {
		id, _, err := nodeid.New(c.net.Reader(1<<40+uint64(i)), nodeid.NoAgreement)
		if err != nil {
			c.t.Fatal(err)
		}
		at := uint64(c.net.Now().UnixMilli()) - 1000
		list[i] = Member{ID: id, Name: fmt.Sprintf("member-%05d", i), Incarnation: at, Named: at, Meta: make([]byte, 32),
			Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 6969)}
	}
	return members.NewBase(c.net.Now(), list)
}

// The test measures the cost of a join into a large cluster for the node that is asked, when it is the only one that
// answers.
func TestJoinIntoTenThousandCostsItsSeedLittle(t *testing.T) {
	const members, bound = 10_000, 2 << 20
	c := newCluster(t, 1, lan())
	table := c.strangers(members)
	c.tweak = func(i int, cfg *Config) {
		if i == 0 {
			cfg.Base = table
		}
	}
	c.add(2)
	c.join(1, 0)
	seed, joiner := c.nodes[0], c.nodes[1]
	c.net.RunUntil(4*time.Second, func() bool { return joiner.members.Count() == members+2 })
	t.Logf("after %v the new node knows %d members; the seed sent %d KiB in %d datagrams", c.net.Elapsed(), joiner.members.Count(),
		seed.stats.SentBytes>>10, seed.stats.SentDatagrams)
	if joiner.members.Count() != members+2 || seed.members.Count() != members+2 {
		t.Errorf("%d and %d members", joiner.members.Count(), seed.members.Count())
	}
	if seed.stats.SentBytes > bound {
		t.Errorf("the seed sent %d bytes, want at most %d", seed.stats.SentBytes, bound)
	}
}

func TestMassStartDoesNotDrownItsSeed(t *testing.T) {
	t.Parallel()
	n := 200
	if *full {
		n = 1000
	}
	c := newCluster(t, 1, lan())
	c.add(n)
	took := c.form(30 * time.Second)
	seed := c.nodes[0].stats
	var most uint64
	for _, nd := range c.nodes[1:] {
		most = max(most, nd.stats.SentBytes)
	}
	t.Logf("%d nodes whole after %v: the seed sent %d KiB in %d datagrams, the busiest other %d KiB", n, took, seed.SentBytes>>10, seed.SentDatagrams, most>>10)
	if bound := uint64(n) * 8 << 10; seed.SentBytes > bound {
		t.Errorf("the seed sent %d bytes, want at most %d: the others shall share", seed.SentBytes, bound)
	}
}
