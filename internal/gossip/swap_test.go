package gossip

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// swap crashes nodes i and k and restarts each under its name at the address of the other.
func (c *cluster) swap(i, k int) {
	a, b := c.nodes[i].addr, c.nodes[k].addr
	nameA, nameB := c.nodes[i].cfg.Name, c.nodes[k].cfg.Name
	c.net.Crash(a)
	c.net.Crash(b)
	c.tweak = func(_ int, cfg *Config) { cfg.Name, cfg.Advertise = nameA, b }
	c.nodes[i] = c.make(i)
	c.net.Restart(b, c.nodes[i])
	c.tweak = func(_ int, cfg *Config) { cfg.Name, cfg.Advertise = nameB, a }
	c.nodes[k] = c.make(k)
	c.net.Restart(a, c.nodes[k])
	c.tweak = nil
}

// knowEachOther reports whether all running nodes are members to each other.
func (c *cluster) knowEachOther() bool {
	for _, n := range c.nodes {
		for _, o := range c.nodes {
			if !n.isLive(o.cfg.ID) {
				return false
			}
		}
	}
	return true
}

// The links of the two need not have a node in common: what one of them knows is passed on.
func TestTwoNodesThatSwapTheirAddressesAreMembersSoon(t *testing.T) {
	for _, size := range []int{5, 30, 200} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%d nodes, seed %d", size, seed), func(t *testing.T) {
				c := newCluster(t, seed, lan())
				c.add(size)
				c.form(10 * time.Second)
				c.swap(1, 2)
				c.join(1, 0)
				c.join(2, 0)
				begin := c.net.Elapsed()
				if !c.net.RunUntil(90*time.Second, func() bool { return c.whole() && c.knowEachOther() }) {
					t.Fatal(c.missing())
				}
				if took := c.net.Elapsed() - begin; took > 10*time.Second {
					t.Errorf("whole after %v, want at most 10s", took)
				}
			})
		}
	}
}

// Three nodes restart, each at the address of the next.
func TestThreeNodesThatRotateTheirAddressesAreMembersSoon(t *testing.T) {
	c := formed(t, 8)
	var addrs []netip.AddrPort
	for _, n := range c.nodes[1:4] {
		addrs = append(addrs, n.addr)
		c.net.Crash(n.addr)
	}
	for i, at := range []int{1, 2, 0} {
		c.tweak = func(_ int, cfg *Config) { cfg.Name, cfg.Advertise = c.nodes[1+i].cfg.Name, addrs[at] }
		c.nodes[1+i] = c.make(1 + i)
		c.net.Restart(addrs[at], c.nodes[1+i])
		c.join(1+i, 0)
	}
	if !c.net.RunUntil(10*time.Second, c.knowEachOther) {
		t.Fatal(c.missing())
	}
}

// A node with another name started at the address before the death of the previous node was known.
func TestNameIsNotKeptForAnAddressAtWhichAnotherMemberLives(t *testing.T) {
	c := formed(t, 5)
	old := c.nodes[2].addr
	c.net.Crash(old)
	c.tweak = func(_ int, cfg *Config) { cfg.Name, cfg.Advertise = "another", old }
	other := c.make(2)
	c.net.Restart(old, other)
	c.nodes[2] = other
	c.join(2, 0)
	c.net.RunFor(8 * time.Second)
	c.namesake("node-2")
	c.add(1)
	c.join(5, 0)
	if !c.net.RunUntil(2*time.Second, c.knowEachOther) {
		t.Errorf("node-2 is %v", c.bearers("node-2", -1))
	}
}
