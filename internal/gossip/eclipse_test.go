package gossip

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// The choice of links is the secret of each run of a node: another run with the same id, among the same members, chooses
// others. Otherwise the owner of an id could compute by whom it is chosen.
func TestChoiceOfLinksCannotBeComputedFromIDs(t *testing.T) {
	choice := func(stream uint64) map[string]bool {
		c := newCluster(t, 1, lan())
		c.tweak = func(i int, cfg *Config) {
			if i == 0 {
				cfg.Rand = c.net.Reader(stream)
			}
		}
		c.add(40)
		c.form(3 * time.Second)
		c.net.RunFor(10 * time.Second)
		names := map[string]bool{}
		for _, id := range c.nodes[0].overlay.Choice() {
			names[c.nodes[0].report.Name(id)] = true
		}
		return names
	}
	first, other := choice(1<<40), choice(1<<40+1)
	same := 0
	for name := range first {
		if other[name] {
			same++
		}
	}
	if len(first) < 5 || same > 3 {
		t.Errorf("%d of %d members are chosen under either secret", same, len(first))
	}
}

// An insider runs 108 nodes beside 12 honest ones: on one machine of another network, or of the same network. They join,
// ask all honest nodes for links, and are members. The honest nodes keep links with each other, and hear each other when
// the insider's nodes pass nothing on.
func TestHundredAndEightNodesOfAnInsiderDoNotSurroundTwelve(t *testing.T) {
	const honest, hostile = 12, 108
	t.Parallel()
	for name, machine := range map[string]netip.Addr{
		"another network":  netip.AddrFrom4([4]byte{192, 0, 2, 1}),
		"the same network": netip.AddrFrom4([4]byte{10, 0, 0, 200}),
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1, lan())
			c.add(honest)
			c.form(3 * time.Second)
			c.net.RunFor(time.Minute)
			c.tweak = func(i int, cfg *Config) {
				cfg.Advertise, cfg.Subscriptions = netip.AddrPortFrom(machine, uint16(1000+i)), 2*honest
			}
			c.add(hostile)
			own := map[wire.NodeID]bool{}
			var theirs, addrs []netip.AddrPort
			for i, n := range c.nodes {
				if i < honest {
					own[n.cfg.ID] = true
					addrs = append(addrs, n.addr)
					continue
				}
				theirs = append(theirs, n.addr)
				c.join(i, i%honest)
			}
			c.net.RunFor(5 * time.Second)
			for range 2 { // they ask again and again
				for i := honest; i < honest+hostile; i++ {
					c.do(i, func(now time.Time) {
						for _, n := range c.nodes[:honest] {
							if p := c.nodes[i].peers[n.cfg.ID]; p != nil && !p.overlay.Subscribing() {
								c.nodes[i].overlay.conclude(now, c.nodes[i].overlay.Request(c.nodes[i].overlay.acts, now, &p.overlay))
							} else if p == nil {
								c.nodes[i].hs.dialMember(now, wire.Path{Remote: n.addr}, n.cfg.ID, time.Second)
							}
						}
					})
				}
				c.net.RunFor(10 * time.Second)
			}
			good, all, chosen, wanted := 0, 0, 0, 0
			for _, n := range c.nodes[:honest] {
				if n.members.Count() != honest+hostile {
					t.Fatalf("%d members", n.members.Count())
				}
				for _, p := range n.links {
					if all++; own[p.ID] {
						good++
					}
					if p.overlay.Subscribed() {
						if wanted++; own[p.ID] {
							chosen++
						}
					}
				}
			}
			t.Logf("of %d ends of links %d are honest, of %d subscriptions %d", all, good, wanted, chosen)
			if 100*good < 80*all {
				t.Errorf("of %d ends of links %d are honest, want 80 %%", all, good)
			}
			c.net.Block(theirs, addrs)
			for i := range honest {
				msg := fmt.Sprint("from ", i)
				c.do(i, func(now time.Time) { _ = c.nodes[i].Broadcast(now, []byte(msg)) })
				c.net.RunFor(100 * time.Millisecond)
				for k, n := range c.nodes[:honest] {
					if k != i && n.got[msg] != 1 {
						t.Errorf("node %d got the broadcast of node %d %d times", k, i, n.got[msg])
					}
				}
			}
		})
	}
}
