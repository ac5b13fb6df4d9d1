package gossip

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestLegacyMemberThatIsHeardStaysAndOneOfWhichNobodySpeaksIsDeadAfterElevenMinutes(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(3)
	c.form(2 * time.Second)
	model := c.addModel(1, c.nodes[0].addr)
	c.net.RunFor(20 * time.Second)
	ghost := wire.Member{ID: wire.NodeID{9, 6: 0x40}, Addr: netip.MustParseAddrPort("10.9.9.200:9")}
	ghost.Name = []byte(legacy.Name(ghost.Addr))
	c.do(0, func(now time.Time) {
		ghost.Incarnation = uint64(now.UnixMilli())
		c.nodes[0].membership.apply(now, &ghost, nil, byNews)
	})
	before := c.nodes[2].members.Get(model.ID()).Incarnation
	c.net.RunFor(10 * time.Minute)
	for i := range c.nodes {
		if !c.has(i, ghost.ID) || !c.has(i, model.ID()) {
			t.Errorf("node %d: one is gone early", i)
		}
	}
	if now := c.nodes[2].members.Get(model.ID()).Incarnation; now < before+uint64(legacy.Lease.Milliseconds()) {
		t.Errorf("the incarnation grew by %d ms", now-before)
	}
	c.net.RunFor(150 * time.Second)
	for i := range c.nodes {
		if c.has(i, ghost.ID) || !c.has(i, model.ID()) {
			t.Errorf("node %d: %t and %t", i, c.has(i, ghost.ID), c.has(i, model.ID()))
		}
	}
}

func TestLegacyPeerThatBeatsNoMoreIsAskedAnewOnlyAfterAHandshake(t *testing.T) {
	c, a, _ := aged(t, 2)
	if got := len(a.took(wire.KindStartSubscription)); got != 1 {
		t.Fatalf("asked %d times", got)
	}
	begin := c.net.Elapsed()
	a.say(wire.AppendRequest(nil, a.next(), wire.KindSubscriptionStarted))
	for range 4 {
		a.say(wire.AppendRequest(nil, a.next(), wire.KindHeartbeat))
		c.net.RunFor(5 * time.Second)
	}
	if len(a.hellos) != 0 {
		t.Errorf("Hellos at %v although it beats", a.hellos)
	}
	c.net.RunFor(11 * time.Second)
	if len(a.hellos) == 0 || a.hellos[0]-begin < 30*time.Second-100*time.Millisecond {
		t.Errorf("Hellos at %v, the last heartbeat at %v", a.hellos, begin+15*time.Second)
	}
	c.net.RunFor(2 * time.Minute)
	if got := len(a.took(wire.KindStartSubscription)); got != 0 || !c.has(0, a.id) {
		t.Errorf("asked %d times without a handshake, member %t", got, c.has(0, a.id))
	}
	if got := len(a.hellos); got > 40 {
		t.Errorf("%d Hellos in two minutes", got)
	}
}

func TestEntriesOfLegacyNodesAreTakenOnlyInTheFormThatAllDerive(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(2 * time.Second)
	addr := netip.MustParseAddrPort("10.9.9.200:9")
	for what, change := range map[string]func(e *wire.Member){
		"another name": func(e *wire.Member) { e.Name = []byte("node-7") },
		"metadata":     func(e *wire.Member) { e.Meta = []byte{1} },
		"a day ahead":  func(e *wire.Member) { e.Incarnation += 90_000_000 },
		"suspect":      func(e *wire.Member) { e.State = wire.StateSuspect },
		"left":         func(e *wire.Member) { e.State = wire.StateLeft },
		"":             func(*wire.Member) {},
	} {
		e := wire.Member{ID: wire.NodeID{9, byte(len(what)), 6: 0x40}, Addr: addr, Name: []byte(legacy.Name(addr))}
		c.do(0, func(now time.Time) {
			e.Incarnation = uint64(now.UnixMilli())
			change(&e)
			c.nodes[0].membership.apply(now, &e, nil, byNews)
		})
		if c.has(0, e.ID) != (what == "") {
			t.Errorf("%s: member %t", what, c.has(0, e.ID))
		}
	}
}
