package gossip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gwyh01"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// ancient is a gwyh 0.1 node on the network that sends what a test wants, and records what it receives.
type ancient struct {
	t      *testing.T
	c      *cluster
	addr   netip.AddrPort
	id     wire.NodeID
	s      *session.Session // with node 0
	seq    uint32
	count  byte // number of its messages
	mute   bool // it answers no box
	out    [][]byte
	heard  []wire.Message
	hellos []time.Duration // since the start of the network, when a Hello of node 0 arrived
}

// addAncient adds an ancient that has just completed a handshake with node 0, and that subscribes to it.
func (c *cluster) addAncient(t *testing.T, n byte) *ancient {
	a := &ancient{t: t, c: c, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 9, n}), 9), id: wire.NodeID{0: n, 6: 0x40, 15: 1}}
	c.net.Add(simnet.HostConfig{Addr: a.addr, Name: fmt.Sprintf("ancient-%d", n)}, a)
	key, id := [32]byte{1, n}, wire.HandshakeID{n}
	core := c.nodes[0]
	c.do(0, func(now time.Time) {
		core.hs.established(now, &handshake.Established{Peer: a.id, Handshake: id, Legacy: true,
			SendKey: key, RecvKey: key, Path: wire.Path{Remote: a.addr}, Timestamp: now})
		a.s = session.New(now, session.Params{Self: a.id, Peer: core.cfg.ID, Handshake: id, Initiator: true, Legacy: true,
			SendKey: key, RecvKey: key, Suite: session.Null, Rand: c.net.Reader(200 + uint64(n))})
	})
	a.say(wire.AppendRequest(nil, a.next(), wire.KindStartSubscription))
	return a
}

func (a *ancient) next() wire.MessageID {
	a.count++
	return wire.MessageID{0: a.id[0], 1: a.count, 6: 0x40}
}

// say sends a plaintext to node 0 and delivers it.
func (a *ancient) say(plain []byte) {
	a.c.net.Do(a.addr, func(now time.Time) { a.send(now, plain) })
	a.c.net.RunFor(5 * time.Millisecond)
}

func (a *ancient) send(now time.Time, plain []byte) {
	a.seq++
	a.out = append(a.out, a.s.SealLegacy(now, nil, a.seq, plain))
}

func (a *ancient) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	var p wire.Packet
	if err := wire.ParsePacket(&p, b); err != nil {
		a.t.Error(err)
		return
	}
	if p.Kind == wire.PacketHandshake {
		var h wire.Handshake
		if p.ParseHandshake(&h) == nil && h.Step == wire.StepHello && from.Remote == a.c.nodes[0].addr {
			a.hellos = append(a.hellos, a.c.net.Elapsed())
		}
		return
	}
	plain, err := a.s.Open(now, &p)
	if err != nil {
		return // from another node, with which it has no session
	}
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		a.t.Error(err)
	}
	m.Data = append([]byte(nil), m.Data...)
	a.heard = append(a.heard, m)
	if !a.mute {
		a.send(now, wire.AppendNak(nil, a.next(), p.Seq, p.Seq))
	}
}

func (a *ancient) HandleTimeout(time.Time) {}
func (a *ancient) NextTimeout() time.Time  { return time.Time{} }
func (a *ancient) Drain(_ time.Time, send func(to wire.Path, b []byte)) {
	for _, b := range a.out {
		send(wire.Path{Remote: a.c.nodes[0].addr}, b)
	}
	a.out = nil
}

// took returns the messages of a kind received since the last call, and drops all received messages.
func (a *ancient) took(k wire.Kind) (list []wire.Message) {
	for _, m := range a.heard {
		if m.Kind == k {
			list = append(list, m)
		}
	}
	a.heard = nil
	return list
}

func (a *ancient) status(id wire.MessageID, of wire.NodeID, addr netip.AddrPort, up bool) {
	a.say(wire.AppendPeerStatus(nil, id, wire.Peer{Addr: addr, ID: of}, up))
}

// aged returns a cluster of Go nodes of which the first knows two gwyh 0.1 nodes.
func aged(t *testing.T, nodes int) (c *cluster, a, b *ancient) {
	t.Helper()
	c = newCluster(t, 1, lan())
	c.add(nodes)
	c.form(2 * time.Second)
	a, b = c.addAncient(t, 1), c.addAncient(t, 2)
	c.net.RunFor(100 * time.Millisecond)
	return c, a, b
}

// has reports whether node i has a live member with that id.
func (c *cluster) has(i int, id wire.NodeID) bool {
	m := c.nodes[i].members.Get(id)
	return m != nil && m.Live()
}

func TestLegacyNodesAreMembersOfAllGoNodes(t *testing.T) {
	c, a, b := aged(t, 4)
	for i, n := range c.nodes {
		for _, o := range []*ancient{a, b} {
			switch m := n.members.Get(o.id); {
			case m == nil:
				t.Errorf("node %d: it has no such member", i)
			case !m.Live():
				t.Errorf("node %d: the member is gone", i)
			case m.Name != "gwyh01-"+o.addr.String():
				t.Errorf("node %d: the name is %v, want %v", i, m.Name, "gwyh01-"+o.addr.String())
			case m.Addr != o.addr:
				t.Errorf("node %d: the address is %v, want %v", i, m.Addr, o.addr)
			}
		}
		if n.count(event.Join, "gwyh01-"+a.addr.String()) != 1 {
			t.Errorf("node %d: %v", i, n.names())
		}
		if n.members.Root(0) != c.nodes[0].members.Root(0) {
			t.Errorf("node %d has another view", i)
		}
	}
	up := a.took(wire.KindPeerStatus)
	if len(up) != 1 {
		t.Fatalf("%d PeerStatus came", len(up))
	}
	switch of, isUp, err := wire.ParsePeerStatus(up[0].Data); {
	case err != nil:
		t.Error(err)
	case !isUp:
		t.Error("the node is said to be down")
	case of.ID != b.id:
		t.Errorf("the status is about %v, want %v", of.ID, b.id)
	case of.Addr != b.addr:
		t.Errorf("the status names the address %v, want %v", of.Addr, b.addr)
	}
}

func TestPeerStatusNeverChangesAGoNode(t *testing.T) {
	c, a, b := aged(t, 3)
	n := c.nodes[0]
	other, version := c.nodes[1].members.Self().Member, n.Version()
	b.took(wire.KindPeerStatus)
	started := n.Stats().HandshakesStarted
	a.status(a.next(), other.ID, other.Addr, false)
	a.status(a.next(), other.ID, netip.MustParseAddrPort("10.6.6.6:6"), true)
	if got := b.took(wire.KindPeerStatus); len(got) != 0 {
		t.Errorf("%d of them were passed on", len(got))
	}
	c.net.RunFor(5 * time.Second)
	switch m := n.members.Get(other.ID); {
	case !m.Live():
		t.Error("the member is gone")
	case m.State != wire.StateAlive:
		t.Errorf("the state is %v, want %v", m.State, wire.StateAlive)
	case m.Addr != other.Addr:
		t.Errorf("the address is %v, want %v", m.Addr, other.Addr)
	case n.Version() != version:
		t.Errorf("the version is %v, want %v", n.Version(), version)
	}
	if n.Stats().HandshakesStarted != started {
		t.Error("a handshake was begun")
	}
	a.status(a.next(), other.ID, other.Addr, true)
	a.status(a.next(), wire.NodeID{3, 6: 0x80}, netip.MustParseAddrPort("10.6.6.6:7"), false)
	if got := b.took(wire.KindPeerStatus); len(got) != 2 {
		t.Errorf("%d of those that are true were passed on", len(got))
	}
}

func TestDownAboutALegacyPeerThatAnswersIsNotBelieved(t *testing.T) {
	c, a, b := aged(t, 3)
	third := c.addAncient(t, 3)
	third.took(0)
	a.took(0)
	b.status(b.next(), a.id, a.addr, false)
	c.net.RunFor(3 * time.Second)
	if got := a.took(wire.KindFrame); len(got) != 1 {
		t.Errorf("asked %d times: the first is answered", len(got))
	}
	if got := third.took(wire.KindPeerStatus); len(got) != 0 || !c.has(0, a.id) || !c.has(2, a.id) {
		t.Errorf("%d passed on, member %t and %t", len(got), c.has(0, a.id), c.has(2, a.id))
	}
}

func TestDownAboutALegacyPeerThatDoesNotAnswerIsBelievedAndPassedOn(t *testing.T) {
	c, a, b := aged(t, 3)
	third := c.addAncient(t, 3)
	third.took(0)
	a.took(0)
	a.mute = true
	id := b.next()
	b.status(id, a.id, a.addr, false)
	c.net.RunFor(1400 * time.Millisecond)
	if !c.has(0, a.id) {
		t.Error("believed early")
	}
	c.net.RunFor(200 * time.Millisecond)
	if c.has(0, a.id) || c.has(2, a.id) {
		t.Error("still a member")
	}
	if frames := a.took(wire.KindFrame); len(frames) != 3 {
		t.Errorf("asked %d times", len(frames))
	}
	passed := third.took(wire.KindPeerStatus)
	if len(passed) != 1 || passed[0].ID != id {
		t.Errorf("%+v", passed)
	}
	if again := b.took(wire.KindPeerStatus); len(again) > 1 { // one Up, about the third
		t.Errorf("%d went back", len(again))
	}
}

func TestGoNodesWordThatALegacyNodeIsDeadIsOutdoneByWhoHearsIt(t *testing.T) {
	c, a, _ := aged(t, 3)
	before := c.nodes[1].members.Get(a.id).Incarnation
	c.net.RunFor(time.Second)
	c.do(2, func(now time.Time) { c.nodes[2].membership.declareDead(now, c.nodes[2].members.Get(a.id)) })
	c.net.RunFor(3 * time.Second)
	for i := range c.nodes {
		if !c.has(i, a.id) {
			t.Errorf("node %d believes it", i)
		}
	}
	if c.nodes[1].members.Get(a.id).Incarnation <= before {
		t.Error("the incarnation is the old one")
	}
}

func TestAddressesThatALegacyPeerNamesAreTriedAFewAtATime(t *testing.T) {
	c, a, _ := aged(t, 2)
	started := c.nodes[0].Stats().HandshakesStarted
	for i := range 200 {
		a.status(wire.MessageID{7, byte(i), 6: 0x40}, wire.NodeID{9, byte(i), 6: 0x40}, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 7, 7, byte(i)}), 7), true)
	}
	c.net.RunFor(4 * time.Second)
	if got := c.nodes[0].Stats().HandshakesStarted - started; got == 0 || got > legacy.AttemptsMax {
		t.Errorf("%d handshakes were begun", got)
	}
	c.net.RunFor(20 * time.Second)
	if _, attempts := c.nodes[0].gateway.Load(); attempts != 0 {
		t.Errorf("%d addresses are still tried", attempts)
	}
}

func TestDownAboutOneselfIsAnsweredByNewHandshakesOnceInTenSeconds(t *testing.T) {
	c, a, b := aged(t, 2)
	self := c.nodes[0].members.Self().Member
	said := c.net.Elapsed()
	a.status(a.next(), self.ID, self.Addr, false)
	b.status(b.next(), self.ID, self.Addr, false)
	if got := len(b.took(wire.KindPeerStatus)); got > 0 {
		t.Errorf("%d were passed on", got)
	}
	c.net.RunFor(4 * time.Second)
	for _, o := range []*ancient{a, b} {
		if len(o.hellos) == 0 || o.hellos[0]-said < legacy.RefuteMin || o.hellos[0]-said > legacy.RefuteMax+100*time.Millisecond {
			t.Errorf("Hellos at %v, Down at %v", o.hellos, said)
		}
	}
	c.net.RunFor(5 * time.Second) // the attempt has ended
	first, count := a.hellos[0], len(a.hellos)
	a.status(a.next(), self.ID, self.Addr, false)
	c.net.RunFor(first + legacy.RefuteInterval - 50*time.Millisecond - c.net.Elapsed())
	if len(a.hellos) != count {
		t.Errorf("Hellos at %v: another within ten seconds", a.hellos)
	}
	c.net.RunFor(4 * time.Second)
	if len(a.hellos) == count {
		t.Error("the second Down was not refuted")
	}
}

// PROTOCOL.md L2.
func TestLegacyPeersLearnOfALeaveByADown(t *testing.T) {
	c, a, _ := aged(t, 2)
	a.took(0)
	self := c.nodes[0].members.Self().Member
	c.do(0, c.nodes[0].Leave)
	c.net.RunFor(time.Second)
	ends := 0
	for _, m := range a.heard {
		if m.Kind == wire.KindEndSubscription {
			ends++
		}
	}
	got := a.took(wire.KindPeerStatus)
	if len(got) != 1 || ends != 0 {
		t.Fatalf("%d PeerStatus, %d EndSubscription", len(got), ends)
	}
	switch of, up, err := wire.ParsePeerStatus(got[0].Data); {
	case err != nil:
		t.Error(err)
	case up:
		t.Error("the node is said to be up")
	case of.ID != self.ID:
		t.Errorf("the status is about %v, want %v", of.ID, self.ID)
	case of.Addr != self.Addr:
		t.Errorf("the status names the address %v, want %v", of.Addr, self.Addr)
	}
}

func TestPeerListIsNeverAnsweredAndPeersThatNobodyAskedForAreIgnored(t *testing.T) {
	c, a, _ := aged(t, 2)
	a.took(0)
	started := c.nodes[0].Stats().HandshakesStarted
	a.say(wire.AppendRequest(nil, a.next(), wire.KindPeerList))
	a.say(wire.AppendPeers(nil, a.next(), []wire.Peer{{Addr: netip.MustParseAddrPort("10.6.6.6:6"), ID: wire.NodeID{1, 6: 0x80}}}))
	c.net.RunFor(4 * time.Second)
	if got := len(a.took(wire.KindPeers)); got != 0 || c.nodes[0].Stats().HandshakesStarted != started {
		t.Errorf("%d answers, %d handshakes", got, c.nodes[0].Stats().HandshakesStarted-started)
	}
}

func TestOwnRequestsThatComeBackAreNotAnswered(t *testing.T) {
	_, a, _ := aged(t, 2)
	var asked wire.MessageID
	for _, m := range a.heard {
		if m.Kind == wire.KindStartSubscription {
			asked = m.ID
		}
	}
	if asked == (wire.MessageID{}) {
		t.Fatal("it was not asked for its messages")
	}
	a.took(0)
	a.say(wire.AppendRequest(nil, asked, wire.KindStartSubscription))
	if got := len(a.took(wire.KindSubscriptionStarted)); got != 0 {
		t.Errorf("%d answers to a request of the node's own", got)
	}
	for range 100 {
		a.say(wire.AppendRequest(nil, a.next(), wire.KindStartSubscription))
	}
	if got := len(a.took(wire.KindSubscriptionStarted)); got < legacy.StartRate.Burst || got > legacy.StartRate.Burst+int(time.Second/legacy.StartRate.Every) {
		t.Errorf("%d answers to 100 requests in half a second", got)
	}
}

// addModel adds a model of a gwyh 0.1 node to the network.
func (c *cluster) addModel(n byte, seeds ...netip.AddrPort) *gwyh01.Node {
	m := gwyh01.New(c.net.Now(), gwyh01.Config{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 8, n}), 9), Keys: []string{"insecure"},
		Seeds: seeds, Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: c.net.Reader(300 + uint64(n))})
	c.net.Add(simnet.HostConfig{Addr: m.Addr(), Name: fmt.Sprintf("model-%d", n)}, m)
	return m
}

func TestGoNodeThatJoinsThroughALegacyNodeFindsTheOthers(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(3)
	c.join(1, 0)
	old := c.addModel(1, c.nodes[0].addr)
	c.net.RunFor(10 * time.Second)
	c.do(2, func(now time.Time) { c.nodes[2].Join(now, old.Addr(), now.Add(10*time.Second)) })
	c.net.RunFor(10 * time.Second)
	if len(c.nodes[2].joined) != 1 || c.nodes[2].joined[0].Err != nil {
		t.Errorf("%+v", c.nodes[2].joined)
	}
	for i, n := range c.nodes {
		if n.members.Count() != 4 || n.members.CountGo() != 3 {
			t.Errorf("node %d knows %v", i, strings.Join(n.names(), ", "))
		}
	}
	if n := old.Stats().NaksReceived; n != 0 {
		t.Errorf("%d Naks went to it", n)
	}
}

// PROTOCOL.md L10.
func TestSilentLegacyNodeIsDeadAfterFifteenSecondsAndBackWhenItSends(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(6)
	c.form(2 * time.Second)
	old := c.addModel(1, c.nodes[0].addr)
	c.net.RunFor(20 * time.Second)
	net := c.net.Partition([]netip.AddrPort{old.Addr()}, c.net.Hosts()[:6])
	c.net.RunFor(8 * time.Second)
	for i := range c.nodes {
		if !c.has(i, old.ID()) {
			t.Errorf("dead to node %d early", i)
		}
	}
	c.net.RunFor(11 * time.Second)
	for i := range c.nodes {
		if c.has(i, old.ID()) {
			t.Errorf("alive to node %d", i)
		}
	}
	net.Heal()
	c.net.RunFor(2 * time.Minute)
	for i := range c.nodes {
		if !c.has(i, old.ID()) {
			t.Errorf("not back at node %d", i)
		}
	}
	c.do(5, func(now time.Time) { _ = c.nodes[5].Broadcast(now, []byte("hello")) })
	c.net.RunFor(time.Second)
	if heard := old.Heard(); len(heard) != 1 {
		t.Errorf("it heard %d broadcasts", len(heard))
	}
}

func TestSubscriptionsOfAGoNodeAreToGoNodesHoweverManyLegacyNodesThereAre(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(8)
	c.form(2 * time.Second)
	for i := range byte(12) {
		c.addModel(i, c.nodes[i%8].addr)
	}
	c.net.RunFor(time.Minute)
	for i, n := range c.nodes {
		if n.members.CountLegacy() != 12 || n.Started() < n.cfg.Subscriptions {
			t.Errorf("node %d has %d legacy members and %d subscriptions to Go nodes", i, n.members.CountLegacy(), n.Started())
		}
		for _, id := range n.overlay.Choice() {
			if !id.IsGo() {
				t.Errorf("node %d chose a legacy node", i)
			}
		}
	}
	for m := range c.nodes[0].members.Each {
		gates := 0
		for _, n := range c.nodes {
			if m.Legacy() && legacy.IsGate(&n.members, m) {
				gates++
			}
		}
		if m.Legacy() && gates != legacy.Gates {
			t.Errorf("%s has %d gates", m.Name, gates)
		}
	}
}

func TestLegacyNodeThatTheApplicationRefusesIsNoMemberAndNotHeard(t *testing.T) {
	for _, refused := range []bool{false, true} {
		c := newCluster(t, 1, lan())
		c.tweak = func(i int, cfg *Config) { cfg.AskAlive = i == 0 }
		c.add(1)
		n := c.nodes[0]
		n.app.later = true
		a := c.addAncient(t, 1)
		if len(n.app.asked) != 1 || c.has(0, a.id) {
			t.Fatalf("asked %d times, member %t", len(n.app.asked), c.has(0, a.id))
		}
		if refused {
			n.app.alive = map[string]error{"gwyh01-" + a.addr.String(): pushpull.ErrPeerGone}
		}
		c.do(0, func(now time.Time) { n.app.answer(now, n.Core, n.app.asked[0]) })
		c.net.RunFor(2 * time.Second)
		started := len(a.took(wire.KindStartSubscription))
		a.say(wire.AppendRequest(nil, a.next(), wire.KindStartSubscription))
		a.say(wire.AppendBroadcast(nil, wire.Arrays, a.next(), []byte("hello")))
		switch got := len(a.took(wire.KindSubscriptionStarted)); {
		case (got == 0) != refused:
			t.Errorf("refused %t: %d requests", refused, got)
		case (started == 0) != refused:
			t.Errorf("refused %t: %d subscriptions started", refused, started)
		case (n.got["hello"] == 0) != refused:
			t.Errorf("refused %t: heard %d times", refused, n.got["hello"])
		case c.has(0, a.id) == refused:
			t.Errorf("refused %t: member %t", refused, c.has(0, a.id))
		}
	}
}
