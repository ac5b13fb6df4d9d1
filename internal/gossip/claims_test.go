package gossip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An insider runs a node, and claims for it the name of a live member, to all other nodes and several times. The node
// answers in its sessions. The victim keeps its name everywhere, and its application learns of the claim.
func TestNoClaimOfAnInsiderTakesTheNameOfALiveNode(t *testing.T) {
	const victim, insider, forged = 0, 7, 8
	earlier := func(e *wire.Member) { e.Named -= uint64(time.Hour / time.Millisecond) }
	later := func(e *wire.Member) { e.Named += uint64(time.Hour / time.Millisecond) }
	atVictim := func(e *wire.Member) { e.Addr = testAddr(victim) }
	for _, x := range []struct {
		name   string
		poison func(own *wire.Member) // what the insider says of the victim first
		claim  []func(e *wire.Member)
	}{
		{"named earlier", nil, []func(*wire.Member){earlier}},
		{"named later", nil, []func(*wire.Member){later}},
		{"named earlier, at the victim's address", nil, []func(*wire.Member){earlier, atVictim}},
		{"named later, at the victim's address", nil, []func(*wire.Member){later, atVictim}},
		{"at an address that it has forged", func(own *wire.Member) { own.Addr = testAddr(forged) }, []func(*wire.Member){later}},
		{"after it has forged the victim's name", func(own *wire.Member) { own.Name = []byte("other") }, []func(*wire.Member){earlier}},
		{"after it has forged the victim's time", func(own *wire.Member) { own.Named = 1 }, []func(*wire.Member){later, atVictim}},
		{"and that the victim is dead", func(own *wire.Member) { own.State = wire.StateDead }, []func(*wire.Member){later, atVictim}},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := newCluster(t, 1, lan())
			c.add(8)
			c.form(3 * time.Second)
			c.net.RunFor(20 * time.Second)
			c.namesake("node-0")
			c.add(1)
			c.meet(insider)
			c.meet(forged)
			for _, n := range c.nodes {
				n.events, n.conflicts = nil, nil
			}
			for range 5 {
				claim := c.entry(forged, func(e *wire.Member) {
					e.Incarnation += 5000
					for _, change := range x.claim {
						change(e)
					}
				})
				for k := range insider {
					if x.poison != nil && k != victim {
						c.claim(insider, k, c.entry(victim, func(e *wire.Member) { e.Incarnation++; x.poison(e) }))
					}
					c.claim(insider, k, claim)
				}
				c.net.RunFor(4 * time.Second)
			}
			c.net.RunFor(20 * time.Second)
			if b := c.bearers("node-0", forged); b[c.nodes[victim].cfg.ID] != 8 {
				t.Errorf("node-0 is %v, want %v to all 8", b, c.nodes[victim].cfg.ID)
			}
			for i, n := range c.nodes[:insider] {
				if n.count(event.Join, "")+n.count(event.Leave, "") > 0 {
					t.Errorf("node %d was told %v", i, n.names())
				}
			}
			stale := x.name == "named earlier, at the victim's address" // looks like an old entry of an earlier run
			if len(c.nodes[victim].conflicts) == 0 && !stale {
				t.Error("the victim's application was not told")
			}
		})
	}
}

// An insider may be lucky: its victim has just failed, or its own node was reached at the address of the victim. Either
// alone does not give it the name.
func TestNewRunMustAnswerAtTheAddressAndTheEarlierRunMustNotAnswer(t *testing.T) {
	const victim, insider, forged = 0, 7, 8
	for what, happens := range map[string]func(c *cluster){
		"the victim has just failed": func(c *cluster) { c.net.Crash(c.nodes[victim].addr) },
		"its node was at the address": func(c *cluster) {
			for _, n := range c.nodes[1:insider] {
				n.peers[c.nodes[forged].cfg.ID].NoteAnsweredAt(c.net.Now(), testAddr(victim))
			}
		},
	} {
		c := formed(t, 8)
		c.net.RunFor(20 * time.Second)
		c.namesake("node-0")
		c.add(1)
		c.meet(insider)
		c.meet(forged)
		happens(c)
		claim := c.entry(forged, func(e *wire.Member) { e.Incarnation, e.Addr = e.Incarnation+5000, testAddr(victim) })
		for k := 1; k < insider; k++ {
			c.claim(insider, k, claim)
		}
		c.net.RunFor(1500 * time.Millisecond) // the probes are over, the suspicion is not
		if b := c.bearers("node-0", forged); b[c.nodes[victim].cfg.ID] < 7 {
			t.Errorf("%s: node-0 is %v", what, b)
		}
	}
}

// A node that is killed and started again at once, with its name and at its address, is the same member to all nodes
// within seconds, and the others see no departure.
func TestRestartIsKnownToAllWithinSeconds(t *testing.T) {
	for _, size := range []int{2, 3, 12, 60}[:brief(4, 3)] {
		for _, away := range []time.Duration{0, 100 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("%d nodes, away %v", size, away), func(t *testing.T) {
				c := formed(t, size)
				for _, n := range c.nodes {
					n.events = nil
				}
				for range 3 {
					c.net.Crash(c.nodes[1].addr)
					c.net.RunFor(away)
					c.runAgain(1)
					begin := c.net.Elapsed()
					known := func() bool { return c.bearers("node-1", -1)[c.nodes[1].cfg.ID] == size }
					if !c.net.RunUntil(3*time.Second, known) {
						t.Fatalf("node-1 is %v after 3 s", c.bearers("node-1", -1))
					}
					t.Logf("known to all after %v", c.net.Elapsed()-begin)
					c.net.RunFor(5 * time.Second)
				}
				if !c.net.RunUntil(10*time.Second, c.whole) {
					t.Error(c.missing())
				}
				for _, n := range c.without(1) {
					if len(n.events) > 0 || len(n.conflicts) > 0 {
						t.Errorf("%s was told %v and of %d conflicts", n.cfg.Name, n.names(), len(n.conflicts))
					}
				}
				c.broadcast(1, "here again", 3*time.Second)
				c.broadcast(0, "welcome", 3*time.Second)
			})
		}
	}
}

// Half of a cluster is cut off, and a node of it restarts meanwhile. After the partition all nodes have its new run.
func TestRestartDuringAPartitionIsKnownToAllAfterIt(t *testing.T) {
	for _, apart := range []time.Duration{2 * time.Second, time.Minute} {
		c := formed(t, 10)
		cut := c.net.Partition(c.addrs(0, 5), c.addrs(5, 10))
		c.net.RunFor(apart)
		c.net.Crash(c.nodes[7].addr)
		c.nodes[7] = c.make(7)
		c.net.Restart(c.nodes[7].addr, c.nodes[7])
		c.join(7, 8)
		c.net.RunFor(apart)
		cut.Heal()
		known := func() bool { return c.bearers("node-7", -1)[c.nodes[7].cfg.ID] == 10 && c.whole() }
		if !c.net.RunUntil(2*time.Minute, known) {
			t.Errorf("apart for %v: node-7 is %v, %s", apart, c.bearers("node-7", -1), c.missing())
		}
	}
}

// A node that restarts after an insider has claimed its name is known again soon.
func TestRestartAfterAFalseClaimIsKnownSoon(t *testing.T) {
	c := formed(t, 8)
	c.net.RunFor(20 * time.Second)
	c.meet(7)
	claim := c.entry(0, func(e *wire.Member) { e.ID = wire.NodeID{9, 6: 0x80, 8: 0x80}; e.Named++ })
	for k := 1; k < 7; k++ {
		c.claim(7, k, claim)
	}
	c.net.RunFor(time.Second)
	c.net.Crash(c.nodes[0].addr)
	c.nodes[0] = c.make(0)
	c.net.Restart(c.nodes[0].addr, c.nodes[0])
	c.join(0, 1)
	known := func() bool { return c.bearers("node-0", -1)[c.nodes[0].cfg.ID] == 8 }
	if !c.net.RunUntil(20*time.Second, known) {
		t.Errorf("node-0 is %v", c.bearers("node-0", -1))
	}
}

// The log says who keeps the name, at the victim and at the others.
func TestClaimOfTheNameOfALiveNodeIsLogged(t *testing.T) {
	c := formed(t, 6)
	c.net.RunFor(20 * time.Second)
	c.clearLogs()
	c.meet(5)
	claim := c.entry(0, func(e *wire.Member) {
		e.ID, e.Addr, e.Named = wire.NodeID{9, 6: 0x80, 8: 0x80}, testAddr(99), e.Named+1
	})
	for k := range 5 {
		c.claim(5, k, claim)
	}
	c.net.RunFor(time.Second)
	for i, n := range c.nodes[:5] {
		want := `"node-0": the one at 10.0.0.0:6969`
		if i == 0 {
			want = `this node keeps the name "node-0"`
		}
		if !strings.Contains(strings.Join(n.logs, "\n"), want) {
			t.Errorf("node %d wrote %q", i, n.logs)
		}
	}
}
