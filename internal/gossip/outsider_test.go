package gossip

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// outside are the ways in which five nodes keep a sixth one out.
var outside = map[string]func(cfg *Config){
	"CIDRsAllowed":  func(cfg *Config) { cfg.Allow = func(a netip.Addr) bool { return a != testAddr(5).Addr() } },
	"AliveDelegate": func(cfg *Config) { cfg.AskAlive = true },
}

// withOutsider returns five nodes that keep out node 5, which has sessions with them.
func withOutsider(t *testing.T, tweak func(cfg *Config)) *cluster {
	t.Helper()
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) {
		if i < 5 {
			tweak(cfg)
		}
	}
	c.add(5)
	c.form(5 * time.Second)
	c.tweak = nil
	c.add(1)
	for _, n := range c.nodes[:5] {
		n.app.alive = map[string]error{"node-5": errNo}
	}
	c.meet(5)
	return c
}

// A node that has the key is kept out. Its program is changed: it asks for links, sends broadcasts and messages, and does
// not say that it is there, or says it. A delegate can refuse only who has said it: until then messages to one node are
// delivered, as those of any node that has not joined.
func TestNodeThatIsKeptOutHasNoPartInTheTraffic(t *testing.T) {
	for name, tweak := range outside {
		for _, introduced := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", introduced ", introduced), func(t *testing.T) {
				c := withOutsider(t, tweak)
				direct, drops := 0, uint64(4)
				if name == "AliveDelegate" && !introduced {
					direct, drops = 2, 2
				}
				out := c.nodes[5]
				c.do(5, func(now time.Time) {
					for _, n := range c.nodes[:5] {
						p := out.peers[n.cfg.ID]
						if p == nil {
							t.Fatal("no session")
						}
						var plain []byte
						if introduced {
							w := wire.BeginMembers(nil, out.newID())
							var e wire.Member
							w.Append(out.members.Self().Fill(&e), 1400)
							plain = w.End()
						}
						plain = wire.AppendRequest(plain, out.newID(), wire.KindStartSubscription)
						plain = wire.AppendCast(plain, wire.KindCast, out.ids.Broadcast(), 0, []byte("forged"))
						plain = wire.AppendFrame(plain, wire.Bin, out.ids.Broadcast(), 6, 0, []byte("forged"))
						out.overlay.Request(nil, now, &p.overlay) // so that it takes a link
						out.sender.SendPlain(now, &p.Peer, plain)
						_, _ = out.Send(now, n.addr, []byte("direct"), true, now.Add(time.Second))
						_, _ = out.Send(now, n.addr, []byte("direct"), false, now.Add(time.Second))
					}
				})
				c.net.RunFor(2 * time.Second)
				c.do(0, func(now time.Time) { _ = c.nodes[0].Broadcast(now, []byte("secret")) })
				c.net.RunFor(5 * time.Second)
				if len(out.links) > 0 || len(out.got) > 0 {
					t.Errorf("it has %d links and heard %v", len(out.links), out.got)
				}
				for i, n := range c.nodes[:5] {
					if n.got["forged"] > 0 {
						t.Errorf("node %d heard it", i)
					}
					if n.got["direct"] != direct {
						t.Errorf("node %d got %d of 2 messages, want %d", i, n.got["direct"], direct)
					}
					if n.got["secret"] == 0 && i > 0 {
						t.Errorf("node %d heard %v", i, n.got)
					}
					if dropped := n.Stats().Dropped[stats.DropUnexpected]; dropped < drops {
						t.Errorf("node %d counted %d messages", i, dropped)
					}
				}
			})
		}
	}
}

// Without a reason to refuse anybody, a node takes messages of nodes that are not members yet, but no broadcasts.
func TestNodeThatRefusesNobodyTakesMessagesOfNodesThatHaveNotJoined(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.do(1, func(now time.Time) {
		_, _ = c.nodes[1].Send(now, c.nodes[0].addr, []byte("direct"), true, now.Add(time.Second))
	})
	c.net.RunFor(time.Second)
	if c.nodes[0].got["direct"] != 1 {
		t.Errorf("node 0 heard %v", c.nodes[0].got)
	}
	c.do(1, func(now time.Time) {
		p := c.nodes[1].peers[c.nodes[0].cfg.ID]
		c.nodes[1].sender.SendPlain(now, &p.Peer, wire.AppendCast(nil, wire.KindCast, c.nodes[1].ids.Broadcast(), 0, []byte("cast")))
	})
	c.net.RunFor(time.Second)
	if c.nodes[0].got["cast"] > 0 {
		t.Error("a broadcast of a node that is not a member is delivered")
	}
}

// A node that waits for its name has links without broadcasts, and hears and is heard when it has the name.
func TestNodeThatWaitsForItsNameHasNoPartInBroadcasts(t *testing.T) {
	c := formed(t, 5)
	c.namesake("node-2")
	c.add(1)
	c.join(5, 0)
	c.net.RunFor(3 * time.Second)
	if len(c.nodes[5].links) == 0 {
		t.Error("it has no link, by which it would learn that the name is free")
	}
	c.do(0, func(now time.Time) { _ = c.nodes[0].Broadcast(now, []byte("to members")) })
	c.do(5, func(now time.Time) { _ = c.nodes[5].Broadcast(now, []byte("of a stranger")) })
	c.net.RunFor(5 * time.Second)
	if len(c.nodes[5].got) > 0 {
		t.Errorf("it heard %v", c.nodes[5].got)
	}
	for i, n := range c.nodes[:5] {
		if n.got["of a stranger"] > 0 {
			t.Errorf("node %d heard it", i)
		}
	}
	c.do(2, c.nodes[2].Leave)
	c.net.RunFor(time.Second)
	c.net.Crash(c.nodes[2].addr)
	if !c.net.RunUntil(time.Minute, func() bool { return c.bearers("node-2", 2)[c.nodes[5].cfg.ID] == 5 }) {
		t.Fatalf("node-2 is %v", c.bearers("node-2", 2))
	}
	c.net.RunFor(3 * time.Second)
	c.do(5, func(now time.Time) { _ = c.nodes[5].Broadcast(now, []byte("of a member")) })
	c.do(0, func(now time.Time) { _ = c.nodes[0].Broadcast(now, []byte("to all")) })
	c.net.RunFor(3 * time.Second)
	for _, n := range c.without(2) {
		if n != c.nodes[5] && n.got["of a member"] != 1 || n != c.nodes[0] && n.got["to all"] != 1 {
			t.Errorf("%s at %v heard %v", n.cfg.Name, n.addr, n.got)
		}
	}
}

// A node that is killed and started again waits for its name until its earlier run fails a probe. Meanwhile it sends and
// receives broadcasts, as soon as its Join has ended.
func TestNewRunTakesPartInBroadcastsBeforeItHasItsName(t *testing.T) {
	c := formed(t, 6)
	c.net.Crash(c.nodes[2].addr)
	c.runAgain(2)
	if err := c.joinEnded(2, 1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if b := c.bearers("node-2", -1); b[c.nodes[2].cfg.ID] == 6 {
		t.Fatal("the new run has its name at once")
	}
	c.do(0, func(now time.Time) { _ = c.nodes[0].Broadcast(now, []byte("to all")) })
	c.do(2, func(now time.Time) { _ = c.nodes[2].Broadcast(now, []byte("of the new run")) })
	c.net.RunFor(5 * time.Second)
	for i, n := range c.nodes {
		if i != 2 && n.got["of the new run"] != 1 {
			t.Errorf("node %d heard the new run %d times", i, n.got["of the new run"])
		}
		if i != 0 && n.got["to all"] != 1 {
			t.Errorf("node %d heard the others %d times", i, n.got["to all"])
		}
	}
}

// A node that claims the name and the address of a live member is one more that waits, as soon as the member has answered.
func TestFalseNewRunLosesItsPartInBroadcastsWhenTheMemberAnswers(t *testing.T) {
	c := formed(t, 6)
	c.net.RunFor(20 * time.Second)
	c.namesake("node-2")
	c.add(1)
	c.meet(6)
	claim := c.entry(6, func(e *wire.Member) { e.Incarnation, e.Addr = e.Incarnation+5000, testAddr(2) })
	for k := range 6 {
		c.claim(6, k, claim)
	}
	c.net.RunFor(2 * time.Second)
	for i, n := range c.nodes[:6] {
		if p := n.peers[c.nodes[6].cfg.ID]; p != nil && (p.NewRun || slices.Contains(n.links, p)) {
			t.Errorf("node %d takes it for a new run", i)
		}
	}
}
