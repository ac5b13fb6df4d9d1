package handshake

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// pair returns two Go nodes, 0 and 1.
func pair(t testing.TB, seed uint64, change func(n int, c *Config)) (w *world, a, b *node) {
	w = newWorld(t, seed)
	nodes := [2]*node{}
	for i := range nodes {
		nodes[i] = newNode(w, i, func(c *Config) {
			if change != nil {
				change(i, c)
			}
		})
	}
	return w, nodes[0], nodes[1]
}

// cheapFrom omits the key agreement for all seeds from first on: many seeds explore the order of packets, not the curve.
func cheapFrom(first, seed uint64) func(int, *Config) {
	return func(_ int, c *Config) {
		if seed >= first {
			c.Agreement = nodeid.NoAgreement
		}
	}
}

func TestTwoGoNodesEndWithOneSessionThatWorksBothWays(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	id := a.join(b.addr, 10*time.Second)
	w.run(15 * time.Second)
	if len(a.sessions) != 1 || len(b.sessions) != 1 {
		t.Fatalf("%d and %d sessions", len(a.sessions), len(b.sessions))
	}
	talk(t, w, a, b)
	sa, sb := a.sessions[0], b.sessions[0]
	switch {
	case !sa.Initiator:
		t.Error("roles: a does not count as the initiator")
	case sb.Initiator:
		t.Error("roles: b counts as the initiator")
	case sa.Attempt != id:
		t.Errorf("roles: the session of a is of attempt %v, want %v", sa.Attempt, id)
	case sb.Attempt != 0:
		t.Errorf("roles: the session of b is of attempt %v, want 0", sb.Attempt)
	case sa.Legacy:
		t.Error("roles: the session of a is legacy")
	case sb.Legacy:
		t.Error("roles: the session of b is legacy")
	}
	switch {
	case sa.Prefix != sb.Prefix:
		t.Errorf("the prefix at a is %v, want %v", sa.Prefix, sb.Prefix)
	case sa.SendKey != sb.RecvKey:
		t.Errorf("the sending key of a is %v, want %v", sa.SendKey, sb.RecvKey)
	case sa.RecvKey != sb.SendKey:
		t.Errorf("the receiving key of a is %v, want %v", sa.RecvKey, sb.SendKey)
	case sa.SendKey == sa.RecvKey:
		t.Errorf("the sending key of a is %v, want anything but %v", sa.SendKey, sa.RecvKey)
	}
	switch {
	case sa.Timestamp != sb.Timestamp:
		t.Errorf("the timestamp at a is %v, want %v", sa.Timestamp, sb.Timestamp)
	case sa.Key != sb.Key:
		t.Errorf("the key that vouched at a is %v, want %v", sa.Key, sb.Key)
	case sa.Key != a.cfg.Keys[0].ID():
		t.Errorf("the key that vouched at a is %v, want %v", sa.Key, a.cfg.Keys[0].ID())
	}
	if sa.RTT != 10*time.Millisecond {
		t.Errorf("RTT %v", sa.RTT)
	}
	if len(a.failed)+len(b.failed)+a.total()+b.total() != 0 {
		t.Error("something failed", a.failed, a.rejected, b.rejected)
	}
}

func TestEachSideLearnsWhatTheOtherSaysOfItself(t *testing.T) {
	w, a, b := pair(t, 1, func(n int, c *Config) {
		c.Capabilities, c.Heartbeat, c.MaxDatagram = uint32(n+5), time.Duration(n+2)*time.Second, uint32(1200+n)
		c.Name = fmt.Sprint("node-", n)
		c.Zone = wire.Zone{Name: fmt.Sprint("zone-", n), Valid: n == 1}
		if n == 0 {
			c.Zone = wire.Zone{}
			c.Advertise = netip.MustParseAddrPort("[2001:db8::1]:7000")
		}
	})
	a.join(b.addr, time.Second)
	w.run(time.Second)
	for _, x := range []struct {
		got  *testSession
		want *node
	}{{a.sessions[0], b}, {b.sessions[0], a}} {
		c := x.want.cfg
		want := Block{Capabilities: c.Capabilities, Incarnation: c.Incarnation, MaxDatagram: c.MaxDatagram, Heartbeat: c.Heartbeat, Name: c.Name, Advertise: c.Advertise, claim: c.Secret.Claim}
		if x.want == a {
			want.claim = nodeid.Claim{} // an initiator shows it in the OkBoss
		}
		switch {
		case x.got.Block != want:
			t.Errorf("the block is %v, want %v", x.got.Block, want)
		case x.got.Zone != c.Zone:
			t.Errorf("the zone is %v, want %v", x.got.Zone, c.Zone)
		case x.got.Peer != c.Node:
			t.Errorf("the peer is %v, want %v", x.got.Peer, c.Node)
		case x.got.Path != x.want.path():
			t.Errorf("the path is %v, want %v", x.got.Path, x.want.path())
		}
	}
}

func TestWhatChangesLaterIsSaidByLaterHandshakes(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	a.ep.SetIncarnation(77)
	a.ep.SetAdvertise(netip.MustParseAddrPort("192.0.2.1:1"))
	a.join(b.addr, time.Second)
	w.run(time.Second)
	if s := b.sessions[0]; s.Incarnation != 77 || s.Advertise.String() != "192.0.2.1:1" {
		t.Errorf("%+v", s.Block)
	}
}

func TestSimultaneousOpenEndsWithASessionThatWorksBothWays(t *testing.T) {
	for seed := range uint64(50) {
		w, a, b := pair(t, seed, cheapFrom(10, seed))
		w.reorder(30 * time.Millisecond)
		w.loss = float64(seed%4) / 10
		w.double = float64(seed%3) / 10
		a.join(b.addr, 20*time.Second)
		b.join(a.addr, 20*time.Second)
		w.run(25 * time.Second)
		talk(t, w, a, b)
	}
}

func TestHandshakeOverALossyDuplicatingReorderingNetwork(t *testing.T) {
	for seed := range uint64(200) {
		w, a, b := pair(t, seed, func(n int, c *Config) {
			cheapFrom(10, seed)(n, c)
			c.AllowLegacy = seed%2 == 0
		})
		w.reorder(80 * time.Millisecond)
		w.loss, w.double = 0.3, 0.3
		id := a.join(b.addr, 20*time.Second)
		if !w.runUntil(30*time.Second, func() bool { return a.confirmed(b.id()) }) {
			t.Fatalf("seed %d: %v, %v", seed, a.failed[id], a.rejected)
		}
		talk(t, w, a, b)
	}
}

func TestOneHandshakeNeverMakesTwoSessions(t *testing.T) {
	for seed := range uint64(100) {
		w, a, b := pair(t, seed, cheapFrom(10, seed))
		w.reorder(200 * time.Millisecond)
		w.loss, w.double = 0.2, 0.8
		a.join(b.addr, 20*time.Second)
		b.join(a.addr, 20*time.Second)
		w.run(30 * time.Second)
		for _, n := range []*node{a, b} {
			seen := make(map[wire.HandshakeID]bool)
			for _, s := range n.sessions {
				if seen[s.Handshake] {
					t.Fatalf("seed %d: two sessions of one handshake", seed)
				}
				seen[s.Handshake] = true
			}
		}
	}
}

func TestSeveralKeysAgreeOnTheFirstOfTheHelloThatTheResponderHas(t *testing.T) {
	key := func(s string) Key { return NewKey([]byte(s), "") }
	for _, x := range []struct {
		a, b []Key
		want string // the key that verifies; empty for none
	}{
		{[]Key{key("one"), key("two")}, []Key{key("two"), key("one")}, "one"},
		{[]Key{key("old"), key("new")}, []Key{key("new")}, "new"},
		{[]Key{key("1"), key("2"), key("3"), key("4")}, []Key{key("a"), key("b"), key("c"), key("4")}, "4"},
		{[]Key{key("1"), key("2"), key("3"), key("4"), key("5")}, []Key{key("5")}, ""},
		{[]Key{key("5")}, []Key{key("1"), key("2"), key("3"), key("4"), key("5")}, ""},
		{[]Key{key("one")}, []Key{key("other")}, ""},
	} {
		w, a, b := pair(t, 1, func(n int, c *Config) { c.Keys = [][]Key{x.a, x.b}[n] })
		id := a.join(b.addr, 2*time.Second)
		w.run(3 * time.Second)
		if x.want == "" {
			switch {
			case len(a.sessions)+len(b.sessions) != 0:
				t.Errorf("without a common key: there are %v sessions, want 0", len(a.sessions)+len(b.sessions))
			case b.rejected[BadKey] == 0:
				t.Errorf("without a common key: b refused %v keys, want some", b.rejected[BadKey])
			case !errors.Is(a.failed[id], ErrNoAnswer):
				t.Errorf("without a common key: %v, %v", b.rejected, a.failed[id])
			}
			continue
		}
		if got := a.sessions[0].Key; got != key(x.want).ID() || b.sessions[0].Key != got {
			t.Errorf("not the key %q", x.want)
		}
		talk(t, w, a, b)
	}
}

// PROTOCOL.md H1.
func TestHelloHasOneHmacPerKeyPrimaryFirstAllWithTheSameBlockAndTheOhaiExactlyOne(t *testing.T) {
	keys := []Key{NewKey([]byte("one"), ""), NewKey([]byte("two"), "")}
	w, a, b := pair(t, 1, func(n int, c *Config) { c.Keys = keys[n:] })
	w.keep = true
	a.join(b.addr, time.Second)
	w.run(time.Second)
	hello, ohai := parsed(t, w.log[0].bytes), parsed(t, w.log[1].bytes)
	if len(hello.Hmacs) != 2 || len(ohai.Hmacs) != 1 {
		t.Fatalf("%d and %d Hmacs", len(hello.Hmacs), len(ohai.Hmacs))
	}
	stamp := appendStamp(nil, hello.Timestamp)
	var blocks [2]string
	for i, h := range hello.Hmacs {
		if keys[i].hmac(h.Message, stamp) != h.Sum {
			t.Errorf("Hmac %d is not under key %d", i, i)
		}
		block, _ := parseBlock(new(Block), h.Message, roleHello)
		blocks[i] = string(block)
	}
	if blocks[0] != blocks[1] || blocks[0] == "" {
		t.Error("the blocks differ")
	}
	if keys[1].hmac(ohai.Hmacs[0].Message, stamp) != ohai.Hmacs[0].Sum {
		t.Error("the Ohai's Hmac is not under the key that verified")
	}
}

// parsed returns the handshake of a datagram.
func parsed(t testing.TB, b []byte) *wire.Handshake {
	t.Helper()
	var p wire.Packet
	var h wire.Handshake
	if err := wire.ParsePacket(&p, append([]byte(nil), b...)); err != nil || p.Kind != wire.PacketHandshake {
		t.Fatal("not a handshake packet:", err)
	}
	if err := p.ParseHandshake(&h); err != nil {
		t.Fatal(err)
	}
	return &h
}

// PROTOCOL.md K1.
func TestLabelsKeepClustersApart(t *testing.T) {
	for _, x := range []struct {
		a, b string
		same bool
	}{{"", "", true}, {"x", "x", true}, {"x", "y", false}, {"", "x", false}} {
		w, a, b := pair(t, 1, func(n int, c *Config) {
			label := []string{x.a, x.b}[n]
			c.Keys, c.Labeled = []Key{NewKey([]byte("secret"), label)}, label != ""
		})
		a.join(b.addr, 2*time.Second)
		w.run(3 * time.Second)
		if a.confirmed(b.id()) != x.same {
			t.Errorf("labels %q and %q: %v", x.a, x.b, b.rejected)
		}
		if !x.same && b.rejected[BadKey] == 0 {
			t.Errorf("labels %q and %q: no reason", x.a, x.b)
		}
	}
}

// PROTOCOL.md E1.
func TestClockTwoMinutesOffIsRefusedAndOneUnderAMinuteIsNot(t *testing.T) {
	for _, off := range []time.Duration{-2 * time.Minute, -61 * time.Second, -59 * time.Second, 59 * time.Second, 61 * time.Second, 2 * time.Minute} {
		w, a, b := pair(t, 1, nil)
		a.offset = off
		a.join(b.addr, 2*time.Second)
		w.run(3 * time.Second)
		if want := off.Abs() < time.Minute; b.confirmed(a.id()) != want || (b.rejected[TimeOff] == 0) != want {
			t.Errorf("%v: confirmed %v, %v", off, b.confirmed(a.id()), b.rejected)
		}
	}
}

// PROTOCOL.md H2.
func TestHelloAimedAtANodeIsAnsweredByNoOther(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	id := a.initiate(b.addr, goID(9), 2*time.Second)
	right := a.initiate(b.addr, b.id(), 2*time.Second)
	w.run(3 * time.Second)
	var refused *RefusedError
	if !errors.As(a.failed[id], &refused) || refused.Reason != WrongPeer {
		t.Errorf("aimed at another: %v", a.failed[id])
	}
	switch {
	case a.failed[right] != nil:
		t.Errorf("aimed at the right one: the attempt failed with %v, want nil", a.failed[right])
	case len(a.sessions) != 1:
		t.Errorf("aimed at the right one: a has %v sessions, want 1", len(a.sessions))
	case a.sessions[0].Attempt != right:
		t.Errorf("aimed at the right one: the session is of attempt %v, want %v", a.sessions[0].Attempt, right)
	}
}

func TestAttemptToNobodyFailsInTime(t *testing.T) {
	w, a, _ := pair(t, 1, nil)
	id := a.join(address(99), 20*time.Second)
	w.run(20*time.Second - 1)
	if a.failed[id] != nil {
		t.Error("failed too early")
	}
	w.run(1)
	if !errors.Is(a.failed[id], ErrNoAnswer) || !a.ep.NextTimeout().IsZero() {
		t.Errorf("%v, next %v", a.failed[id], a.ep.NextTimeout())
	}
	if len(a.ep.pending)+len(a.ep.attempts) != 0 {
		t.Error("something is left of the attempt")
	}
}

func TestCanceledAttemptIsSilent(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	id := a.join(address(99), 20*time.Second)
	a.ep.Cancel(id)
	a.ep.Cancel(id)
	w.run(time.Minute)
	switch {
	case len(w.log) != 1:
		t.Errorf("%v packets were sent, want 1", len(w.log))
	case len(a.failed) != 0:
		t.Errorf("%v attempts of a failed, want 0", len(a.failed))
	case len(a.ep.pending) != 0:
		t.Errorf("a has %v Hellos that wait, want 0", len(a.ep.pending))
	case len(b.sessions) != 0:
		t.Errorf("b has %v sessions, want 0", len(b.sessions))
	}
}

// PROTOCOL.md H7.
func TestJoinThatReachesItselfSaysSo(t *testing.T) {
	w, a, _ := pair(t, 1, nil)
	id := a.join(a.addr, 10*time.Second)
	aimed := a.initiate(a.addr, goID(5), time.Second)
	w.run(20 * time.Second)
	switch {
	case len(a.self) != 1:
		t.Errorf("reached self: a reached itself %v times, want 1", len(a.self))
	case a.self[0] != id:
		t.Errorf("reached self: a reached itself with attempt %v, want %v", a.self[0], id)
	case len(a.sessions) != 0:
		t.Errorf("reached self: a has %v sessions, want 0", len(a.sessions))
	}
	if !errors.Is(a.failed[aimed], ErrNoAnswer) || a.rejected[OwnID] == 0 {
		t.Errorf("an attempt at another node: %v", a.failed[aimed])
	}
}

// PROTOCOL.md H7.
func TestHelloThatComesBackFromAnotherAddressReachesNobody(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool { // b's address reflects all packets
		if d.to == b.addr {
			d.to, d.from = a.addr, b.addr
		}
		return true
	}
	id := a.join(b.addr, 5*time.Second)
	w.run(6 * time.Second)
	refused, ok := errors.AsType[*RefusedError](a.failed[id])
	switch {
	case !ok:
		t.Errorf("%v; reached self: ok is false", a.failed[id])
	case refused.Reason != Returned:
		t.Errorf("%v; reached self: the reason is %v, want %v", a.failed[id], refused.Reason, Returned)
	case len(a.self) != 0:
		t.Errorf("%v; reached self: a reached itself %v times, want 0", a.failed[id], len(a.self))
	case a.rejected[Returned] == 0:
		t.Errorf("%v; reached self: a refused %v packets of its own that returned, want some", a.failed[id], a.rejected[Returned])
	}
}

// A mirrored port sends a node's packets back, while the node at the address answers too.
func TestNodeIsReachedThoughHellosComeBackBeforeItAnswers(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool {
		if d.to == b.addr {
			a.receive(datagram{w.now, b.addr, a.addr, append([]byte(nil), d.bytes...)})
		}
		return true
	}
	id := a.join(b.addr, 5*time.Second)
	w.run(6 * time.Second)
	switch {
	case len(a.sessions) != 1:
		t.Errorf("a has %v sessions, want 1", len(a.sessions))
	case a.failed[id] != nil:
		t.Errorf("the attempt of a failed with %v, want nil", a.failed[id])
	case a.rejected[Returned] == 0:
		t.Errorf("a refused %v packets of its own that returned, want some", a.rejected[Returned])
	}
}

func TestUnconfirmedAttemptSaysThatItWasAnswered(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool { return d.from == a.addr || parsesAs(d.bytes, wire.StepOhai) }
	id := a.join(b.addr, 5*time.Second)
	w.run(6 * time.Second)
	if !errors.Is(a.failed[id], ErrUnconfirmed) || len(a.sessions) != 1 {
		t.Errorf("%v", a.failed[id])
	}
}

// parsesAs reports whether a datagram contains the step.
func parsesAs(b []byte, s wire.Step) bool {
	var p wire.Packet
	var h wire.Handshake
	return wire.ParsePacket(&p, append([]byte(nil), b...)) == nil && p.Kind == wire.PacketHandshake &&
		p.ParseHandshake(&h) == nil && h.Step == s
}

func TestTransportWithoutReplyAddressesIsAnsweredAtTheAdvertisedOne(t *testing.T) {
	w, a, b := pair(t, 1, func(_ int, c *Config) { c.ReplyToAdvertised = true })
	w.filter = func(d *datagram) bool {
		d.from = netip.AddrPort{} // as from a transport whose addresses are no socket addresses
		return true
	}
	w.loss = 0.2
	a.join(b.addr, 20*time.Second)
	w.run(20 * time.Second)
	talk(t, w, a, b)
	if a.sessions[0].Path != b.path() || b.sessions[0].Path != a.path() {
		t.Error("the reply path is not the advertised address")
	}
}

func TestRoundTripTimeIsSetOnlyWhenItIsKnownWhichHelloWasAnswered(t *testing.T) {
	for _, x := range []struct {
		legacy bool // every Hello is a separate handshake, so the answer identifies the Hello
		want   time.Duration
	}{{false, 0}, {true, 400 * time.Millisecond}} {
		w, a, b := pair(t, 1, func(_ int, c *Config) { c.AllowLegacy = x.legacy })
		w.delay = func() time.Duration { return 200 * time.Millisecond }
		a.join(b.addr, 10*time.Second)
		w.run(10 * time.Second)
		switch {
		case len(a.sessions) != 1:
			t.Errorf("legacy %v: a has %v sessions, want 1", x.legacy, len(a.sessions))
		case a.sessions[0].RTT != x.want:
			t.Errorf("legacy %v: the round trip at a is %v, want %v", x.legacy, a.sessions[0].RTT, x.want)
		case b.sessions[0].RTT != 0:
			t.Errorf("legacy %v: the round trip at b is %v, want 0", x.legacy, b.sessions[0].RTT)
		}
	}
}

// Not every path carries a Hello that does not fit into one unfragmented datagram.
func TestHelloWithFourKeysFitsIntoADatagram(t *testing.T) {
	for _, zone := range []string{"eu-central-1a", strings.Repeat("z", 255)} {
		t.Run(fmt.Sprint("zone of ", len(zone), " bytes"), func(t *testing.T) {
			w, a, b := pair(t, 1, func(i int, c *Config) {
				c.Name = strings.Repeat("n", nameMax)
				c.Advertise = netip.MustParseAddrPort("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
				c.Zone = wire.Zone{Name: zone, Valid: true}
				c.Keys = append(c.Keys, NewKey([]byte("2"), ""), NewKey([]byte("3"), ""), NewKey([]byte("4"), ""), NewKey([]byte("5"), ""))
			})
			w.keep = true
			for i := range 50 {
				a.join(address(99), time.Second)
				if i%2 > 0 {
					a.receive(cookieFor(t, w.log[len(w.log)-1], cookie{byte(i)}))
				}
			}
			if len(w.log) != 75 {
				t.Fatalf("%d Hellos, want 75", len(w.log))
			}
			for _, d := range w.log {
				if h := parsed(t, d.bytes); len(h.Hmacs) != MaxKeys || len(d.bytes) > 1200 {
					t.Fatalf("%d Hmacs in %d bytes", len(h.Hmacs), len(d.bytes))
				}
			}
			a.join(b.addr, time.Second)
			w.run(time.Second)
			if len(a.sessions) != 1 || len(b.sessions) != 1 {
				t.Errorf("%d and %d sessions came of it", len(a.sessions), len(b.sessions))
			}
		})
	}
}
