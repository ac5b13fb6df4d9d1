package handshake

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// forger makes well-formed Hellos under an unknown key, each from another host of one /24.
type forger struct {
	rand seeded
	ring ring
	n    int
}

func newForger() *forger {
	var keys []Key
	for _, psk := range []string{"a", "b", "c", "d"} {
		keys = append(keys, NewKey([]byte(psk), ""))
	}
	return &forger{rand: newSeeded(99), ring: newRing(keys)}
}

// hello returns a forged Hello with four Hmacs.
func (f *forger) hello(now time.Time) []byte {
	f.n++
	self := *selfOf(1_000_000+f.n, nodeid.X25519)
	m := newInitiator(&self, &f.ring, wire.NodeID{}, false, now, origin{f.rand, nodeid.X25519})
	return wire.AppendHandshake(nil, 1, self.Node, m.Hello())
}

func TestHonestNodeJoinsWithinASecondUnderAFloodOfForgedHellos(t *testing.T) {
	w := newWorld(t, 1)
	seed, honest := newNode(w, 1, nil), newNode(w, 2<<8, nil)
	f := newForger()
	forged := f.hello(w.now)
	const perSecond = 10_000
	for i := range 3 * perSecond {
		w.after(time.Duration(i)*time.Second/perSecond, func() {
			if i%1000 == 0 {
				forged = f.hello(w.now)
			}
			w.send(address(3<<8|i%256), seed.addr, forged)
		})
	}
	w.after(1500*time.Millisecond, func() { honest.join(seed.addr, 10*time.Second) })
	w.run(1500 * time.Millisecond)
	if !w.runUntil(time.Second, func() bool { return honest.confirmed(seed.id()) && seed.confirmed(honest.id()) }) {
		t.Fatal("no session after a second", seed.rejected)
	}
	w.run(time.Second)
	if len(seed.sessions) != 1 {
		t.Error("a forged Hello made a session")
	}
	if bound, legacy := seed.ep.HalfOpen(); bound+legacy != 1 || len(seed.ep.goIDs.accounts) != 1 {
		t.Error("forged Hellos are remembered")
	}
	if most := 5 * limits[unproven].all / 4; seed.rejected[BadKey] == 0 || seed.rejected[BadKey] > most {
		t.Errorf("%d verified, want 1 to %d", seed.rejected[BadKey], most)
	}
	if seed.rejected[CookieWanted] == 0 {
		t.Error("nobody was asked for a cookie")
	}
}

func TestAThousandHellosOfOneNetworkAtOneMomentAreAllAnswered(t *testing.T) {
	w := newWorld(t, 1)
	seed := newNode(w, 0, func(c *Config) {
		c.Keys = []Key{NewKey([]byte("new"), ""), NewKey([]byte("secret"), "")}
	})
	ohais := 0
	w.filter = func(d *datagram) bool {
		if d.from == seed.addr && parsesAs(d.bytes, wire.StepOhai) {
			ohais++
		}
		return false
	}
	ring := newRing(seed.cfg.Keys[1:])
	for i := 1; i <= 1000; i++ {
		self := *selfOf(i, nodeid.X25519)
		m := newInitiator(&self, &ring, wire.NodeID{}, true, w.now, origin{newSeeded(uint64(i)), nodeid.NoAgreement})
		seed.receive(datagram{w.now, address(i % 250), seed.addr, wire.AppendHandshake(nil, 1, self.Node, m.Hello())})
	}
	if ohais != 1000 {
		t.Errorf("%d answers, %v", ohais, seed.rejected)
	}
	if bound, _ := seed.ep.HalfOpen(); bound != 1000 {
		t.Errorf("%d half-open", bound)
	}
}

func TestAThousandNodesOfOneNetworkShakeHandsWithOneWithinFourSeconds(t *testing.T) {
	w := newWorld(t, 1)
	w.reorder(20 * time.Millisecond)
	w.loss = 0.05
	cheap := func(c *Config) { c.Agreement = nodeid.NoAgreement }
	seed := newNode(w, 0, cheap)
	nodes := make([]*node, 1000)
	for i := range nodes {
		nodes[i] = newNode(w, i+1, cheap)
		nodes[i].addr = sameNetwork(i + 1)
		w.add(nodes[i])
		nodes[i].join(seed.addr, 20*time.Second)
	}
	done := func() bool {
		for _, n := range nodes {
			if !n.confirmed(seed.id()) {
				return false
			}
		}
		return true
	}
	if !w.runUntil(4*time.Second, done) {
		t.Error("not all have shaken hands", seed.rejected)
	}
}

// sameNetwork returns one of a thousand addresses and ports in 10.0.0.0/24.
func sameNetwork(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), uint16(7000+n/256))
}

// PROTOCOL.md E8.
func TestRepeatsOfABoundHelloAreTheSameHandshakeUnderANewCount(t *testing.T) {
	w, a, _ := pair(t, 1, func(_ int, c *Config) { c.AllowLegacy = false })
	w.keep = true
	start := w.now
	id := a.join(address(99), 40*time.Second)
	w.run(41 * time.Second)
	var at []time.Duration
	begun := make(map[wire.HandshakeID]time.Time)
	contents := make(map[wire.HandshakeID][32]byte)
	for i, d := range w.log {
		at = append(at, d.at.Sub(start))
		var p wire.Packet
		if err := wire.ParsePacket(&p, append([]byte(nil), d.bytes...)); err != nil || p.Seq != uint32(i+1) {
			t.Fatalf("packet %d has count %d", i+1, p.Seq)
		}
		h := parsed(t, d.bytes)
		if _, ok := begun[h.ID]; !ok {
			begun[h.ID], contents[h.ID] = d.at, content(h)
		}
		if contents[h.ID] != content(h) {
			t.Error("a repeat differs")
		}
		if d.at.Sub(begun[h.ID]) >= helloLife {
			t.Error("a Hello is repeated when it looks replayed")
		}
	}
	checkLadder(t, at, 3*time.Second)
	switch {
	case len(begun) >= len(w.log):
		t.Errorf("len(begun) is %d, want less than %d: %v", len(begun), len(w.log), begun)
	case parsed(t, w.log[4].bytes).ID != parsed(t, w.log[0].bytes).ID:
		t.Errorf("the fifth packet is of handshake %v, want %v", parsed(t, w.log[4].bytes).ID, parsed(t, w.log[0].bytes).ID)
	case a.failed[id] == nil:
		t.Error("the attempt did not fail")
	}
}

func TestRepeatOfAHelloDrawsTheSameOhaiToWhereItCameFrom(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	a.join(b.addr, 50*time.Millisecond)
	w.run(8 * time.Millisecond) // the Hello has arrived, the Ohai has not
	hello := w.log[0]
	hello.from = address(50)
	w.deliver(hello)
	ohai, again := w.log[1], w.log[2]
	if again.to != address(50) || content(parsed(t, again.bytes)) != content(parsed(t, ohai.bytes)) {
		t.Error("another answer")
	}
	for range 100 {
		w.deliver(hello)
	}
	if b.rejected[TooManyRepeats] != 100-repeatsMax+1 {
		t.Error(b.rejected)
	}
	w.run(20 * time.Second)
	if len(a.sessions) != 1 || len(b.sessions) != 1 {
		t.Error("repeats made sessions")
	}
}

func TestRepeatedOhaiDrawsTheStoredOkBossAndIdentity(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return d.to == b.addr && parsesAs(d.bytes, wire.StepHello) || d.to == a.addr }
	a.join(b.addr, time.Second)
	w.run(12 * time.Millisecond)
	ohai, okBoss, identity := w.log[1], w.log[2], w.log[3]
	n := len(w.log)
	w.deliver(ohai)
	switch {
	case len(w.log) != n+2:
		t.Errorf("%v packets were sent, want %v", len(w.log), n+2)
	case content(parsed(t, w.log[n].bytes)) != content(parsed(t, okBoss.bytes)):
		t.Error("not the stored answer")
	case string(w.log[n+1].bytes) != string(identity.bytes):
		t.Errorf("string(w.log[n+1].bytes) is %q, want %q", string(w.log[n+1].bytes), string(identity.bytes))
	}
	if parsed(t, okBoss.bytes).Responses[0] != parsed(t, w.log[n].bytes).Responses[0] || len(a.sessions) != 1 {
		t.Error("another answer, or another session")
	}
}

func TestRepeatedOkBossDrawsTheStoredIdentitySameBytes(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return d.to == b.addr || parsesAs(d.bytes, wire.StepOhai) }
	a.join(b.addr, 60*time.Second)
	w.run(4500 * time.Millisecond)
	var identities []string
	okBosses := 0
	for _, d := range w.log {
		var p wire.Packet
		if wire.ParsePacket(&p, append([]byte(nil), d.bytes...)) == nil && p.Kind == wire.PacketBox && d.from == b.addr {
			identities = append(identities, string(d.bytes))
		} else if parsesAs(d.bytes, wire.StepOkBoss) {
			okBosses++
		}
	}
	switch {
	case len(identities) < 5:
		t.Fatalf("len(identities) is %d, want at least 5: %v", len(identities), identities)
	case okBosses-len(identities) > 1:
		t.Fatalf("okBosses-len(identities) is %v, want at most 1", okBosses-len(identities))
	case len(b.sessions) != 1:
		t.Fatalf("b has %v sessions, want 1", len(b.sessions))
	case b.sessions[0].counter != 1:
		t.Fatalf("the counter of b is %v, want 1", b.sessions[0].counter)
	}
	for _, x := range identities {
		if x != identities[0] {
			t.Error("other bytes")
		}
	}
}

// PROTOCOL.md E8.
func TestOkBossAndIdentityAreRepeatedUntilABoxOpens(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	var at []time.Duration
	start := w.now.Add(10 * time.Millisecond)
	w.filter = func(d *datagram) bool {
		if parsesAs(d.bytes, wire.StepOkBoss) {
			at = append(at, d.at.Sub(start))
		}
		return d.to == a.addr || parsesAs(d.bytes, wire.StepHello) || w.now.Sub(epoch) > 2*time.Second
	}
	a.join(b.addr, 60*time.Second)
	w.run(30 * time.Second)
	checkLadder(t, append(at, at[len(at)-1]+3*time.Second), 3*time.Second)
	switch {
	case !a.confirmed(b.id()):
		t.Error("the session with b is not confirmed")
	case len(a.ep.attempts) != 0:
		t.Errorf("a has %v attempts, want 0", len(a.ep.attempts))
	case len(at) > 7:
		t.Errorf("len(at) is %d, want at most 7: %v", len(at), at)
	}
}

func TestAttemptWhosePeerForgotItBeginsANew(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool {
		return parsesAs(d.bytes, wire.StepHello) || parsesAs(d.bytes, wire.StepOhai) || d.at.Sub(epoch) > 20*time.Second
	}
	a.join(b.addr, 60*time.Second)
	w.run(60 * time.Second)
	talk(t, w, a, b)
	if len(a.sessions) < 2 {
		t.Error("one session")
	}
}

// The Ohai is lost, and the initiator gives up: the responder leaves repetitions to it (PROTOCOL.md E7).
func TestResponderRepeatsNothingByTime(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	sent := 0
	w.filter = func(d *datagram) bool {
		if d.from == b.addr {
			sent++
		}
		return d.to == b.addr
	}
	a.join(b.addr, 50*time.Millisecond)
	w.run(HalfOpenLife)
	if sent != 1 {
		t.Errorf("%d packets sent, want one Ohai", sent)
	}
}

// PROTOCOL.md H6.
func TestBoxBeforeTheOkBossIsDropped(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return !parsesAs(d.bytes, wire.StepOkBoss) }
	a.join(b.addr, time.Second)
	w.run(20 * time.Millisecond)
	switch {
	case len(b.sessions) != 0:
		t.Errorf("b has %v sessions, want 0", len(b.sessions))
	case b.strangers == 0:
		t.Errorf("b saw %v strangers, want some", b.strangers)
	case b.ep.half.bound.ages.Len() != 1:
		t.Errorf("b keeps %v half-open handshakes, want 1", b.ep.half.bound.ages.Len())
	}
	w.filter = nil
	w.run(time.Second)
	talk(t, w, a, b)
}

func TestHalfOpenHandshakeEndsAfterTenSeconds(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool { return d.to == b.addr }
	a.join(b.addr, 50*time.Millisecond)
	w.run(5*time.Millisecond + HalfOpenLife - 1)
	if bound, _ := b.ep.HalfOpen(); bound != 1 {
		t.Error("ended early")
	}
	w.run(1)
	if bound, _ := b.ep.HalfOpen(); bound != 0 || !b.ep.NextTimeout().IsZero() {
		t.Error("is still there")
	}
}

func TestFifthHandshakeOfANodeTakesTheFirstOnesPlace(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool { return d.to == b.addr }
	for range 5 {
		a.join(b.addr, 10*time.Millisecond)
	}
	w.run(5 * time.Millisecond)
	if bound, _ := b.ep.HalfOpen(); bound != 4 || b.rejected[Unfinished] != 1 {
		t.Errorf("%d half-open, %v", bound, b.rejected)
	}
}

func TestRemovedKeyCompletesNoHandshake(t *testing.T) {
	old, young := NewKey([]byte("old"), ""), NewKey([]byte("new"), "")
	w, a, b := pair(t, 1, func(n int, c *Config) { c.Keys = []Key{old, young} })
	a.join(b.addr, 10*time.Second)
	w.run(8 * time.Millisecond)
	b.ep.SetKeys([]Key{young})
	if bound, _ := b.ep.HalfOpen(); bound != 0 {
		t.Error("half-open under a key that is gone")
	}
	w.run(20 * time.Second)
	talk(t, w, a, b)
	if s := b.sessions[0]; s.Key != young.ID() {
		t.Error("under the key that is gone")
	}
}

func TestAttemptGoesOnUnderTheNewRing(t *testing.T) {
	w, a, b := pair(t, 1, func(n int, c *Config) {
		c.AllowLegacy = false
		c.Keys = []Key{NewKey([]byte{byte(n)}, "")}
	})
	a.join(b.addr, 10*time.Second)
	w.run(200 * time.Millisecond)
	a.ep.SetKeys(b.cfg.Keys)
	w.run(300 * time.Millisecond)
	talk(t, w, a, b)
}

// PROTOCOL.md H6.
func TestFirstValidOhaiEndsTheOtherHellosOfAnAttempt(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.delay = func() time.Duration { return 250 * time.Millisecond }
	a.join(b.addr, 10*time.Second)
	w.run(10 * time.Second)
	switch {
	case len(a.sessions) != 1:
		t.Errorf("a has %v sessions, want 1", len(a.sessions))
	case len(b.sessions) != 1:
		t.Errorf("b has %v sessions, want 1", len(b.sessions))
	case a.rejected[UnknownHandshake] == 0:
		t.Errorf("a refused %v packets of unknown handshakes, want some", a.rejected[UnknownHandshake])
	}
	if len(a.ep.pending) != 0 {
		t.Error("Hellos are left")
	}
}

func TestKeyThatStaysGoesOnWithItsHandshakes(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	a.join(b.addr, 10*time.Second)
	w.run(8 * time.Millisecond)
	b.ep.SetKeys([]Key{NewKey([]byte("new"), ""), b.cfg.Keys[0]})
	w.run(50 * time.Millisecond)
	talk(t, w, a, b)
}
