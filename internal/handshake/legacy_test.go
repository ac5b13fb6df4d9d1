package handshake

import (
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// mixed returns a Go node and a node of gwyh 0.1.
func mixed(t testing.TB, seed uint64, change func(*Config)) (w *world, a *node, g *gwyh01) {
	w = newWorld(t, seed)
	return w, newNode(w, 0, change), newGwyh01(w, 1, "secret")
}

func TestGoNodeInitiatesToALegacyNode(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	id := a.join(g.addr, 10*time.Second)
	w.run(20 * time.Second)
	if len(a.sessions) != 1 || len(a.failed) != 0 {
		t.Fatalf("%d sessions, %v", len(a.sessions), a.failed)
	}
	s := a.sessions[0]
	switch {
	case !s.Legacy:
		t.Error("the session is not legacy")
	case !s.Initiator:
		t.Error("the node does not count as the initiator")
	case s.Attempt != id:
		t.Errorf("the session is of attempt %v, want %v", s.Attempt, id)
	case !s.sealable:
		t.Error("no box may be sealed under the session")
	case s.confirmed:
		t.Error("the session is confirmed")
	case s.Path.Remote != g.addr:
		t.Errorf("the session answers to %v, want %v", s.Path.Remote, g.addr)
	}
	a.say(s, "hello")
	w.run(time.Second)
	if !slices.Equal(g.opened, []string{"hello"}) || !slices.Equal(s.opened, []string{"nak"}) {
		t.Errorf("opened %q there, %q here", g.opened, s.opened)
	}
	if g.hellos != 1 || g.okBosses != 1 {
		t.Errorf("%d Hellos, %d OkBosses for one handshake", g.hellos, g.okBosses)
	}
}

func TestLegacyNodeInitiatesToAGoNode(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	w.keep = true
	g.initiate(a.addr)
	w.run(20 * time.Second)
	if len(a.sessions) != 1 {
		t.Fatalf("%d sessions, %v", len(a.sessions), a.rejected)
	}
	s := a.sessions[0]
	switch {
	case !s.Legacy:
		t.Error("the session is not legacy")
	case s.Initiator:
		t.Error("the node counts as the initiator")
	case !s.confirmed:
		t.Error("the session is not confirmed")
	case s.Peer != g.id:
		t.Errorf("the peer is %v, want %v", s.Peer, g.id)
	}
	if g.goTeams != 1 || !slices.Equal(g.opened, []string{"probe"}) {
		t.Errorf("%d GoTeams, opened %q: a Nak ends the repeats", g.goTeams, g.opened)
	}
	if at := w.log[1].at; at.Sub(w.log[0].at) != 5*time.Millisecond {
		t.Errorf("the Hello was answered after %v", at.Sub(w.log[0].at))
	}
}

func TestLegacySessionHasNothingOfPart4(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	g.initiate(a.addr)
	w.run(time.Second)
	s := a.sessions[0]
	switch {
	case !s.Legacy:
		t.Error("the session is not legacy")
	case s.Block != (Block{}):
		t.Errorf("the block is %v, want %v", s.Block, (Block{}))
	case s.Prefix != [16]byte{}:
		t.Errorf("the prefix is %v, want %v", s.Prefix, [16]byte{})
	case s.SendKey != s.RecvKey:
		t.Errorf("the sending key is %v, want %v", s.SendKey, s.RecvKey)
	}
}

func TestNothingIsSealedToALegacyResponderBeforeItsGoTeam(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	g.mute = func(s wire.Step) bool { return s == wire.StepGoTeam }
	w.keep = true
	a.join(g.addr, 900*time.Millisecond)
	w.run(2 * time.Second)
	for _, d := range w.log {
		var p wire.Packet
		if wire.ParsePacket(&p, d.bytes) != nil || p.Kind == wire.PacketBox {
			t.Fatal("a box was sent")
		}
	}
	if len(a.sessions) != 1 || a.sessions[0].sealable {
		t.Error("no session that opens and may not be sealed under")
	}
	if err := a.failed[1]; !errors.Is(err, ErrUnconfirmed) {
		t.Error(err)
	}
}

func TestBoxThatOpensStandsForALostGoTeam(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	g.mute = func(s wire.Step) bool { return s == wire.StepGoTeam }
	a.join(g.addr, 10*time.Second)
	w.runUntil(time.Second, func() bool { return g.installed[a.id()] != nil })
	g.say(a.addr, g.installed[a.id()], "peer status")
	w.run(20 * time.Second)
	switch {
	case len(a.failed) != 0:
		t.Errorf("%v attempts of a failed, want 0", len(a.failed))
	case !a.sessions[0].confirmed:
		t.Error("the session of a is not confirmed")
	case len(a.sessions) != 1:
		t.Errorf("a has %v sessions, want 1", len(a.sessions))
	}
}

func TestUnansweredOkBossIsRepeatedTwiceThenANewHandshakeBegins(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return !parsesAs(d.bytes, wire.StepOkBoss) }
	start := w.now
	a.join(g.addr, 5*time.Second)
	w.run(1500 * time.Millisecond)
	var okBosses, hellos []time.Duration
	for _, d := range w.log {
		switch at := d.at.Sub(start) - 10*time.Millisecond; {
		case parsesAs(d.bytes, wire.StepOkBoss):
			okBosses = append(okBosses, at)
		case parsesAs(d.bytes, wire.StepHello):
			hellos = append(hellos, at)
		}
	}
	want := []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 1010 * time.Millisecond}
	switch {
	case len(okBosses) < 4:
		t.Errorf("len(okBosses) is %d, want at least 4: %v", len(okBosses), okBosses)
	case !slices.Equal(okBosses[:4], want):
		t.Errorf("the first OkBosses were sent after %v, want %v", okBosses[:4], want)
	case len(hellos) != 2:
		t.Errorf("len(hellos) is %d, want 2: %v", len(hellos), hellos)
	case hellos[1] != time.Second:
		t.Errorf("the second Hello was sent after %v, want %v", hellos[1], time.Second)
	}
	w.filter = nil
	w.run(2 * time.Second)
	last := a.sessions[len(a.sessions)-1]
	switch {
	case len(a.sessions) < 2:
		t.Errorf("a has %v sessions, want at least 2", len(a.sessions))
	case !last.Timestamp.After(a.sessions[0].Timestamp):
		t.Error("the last timestamp is not later than that of the first session")
	case !last.sealable:
		t.Error("no box may be sealed under the last session")
	}
}

// PROTOCOL.md L1.
func TestEveryRepeatToAPeerThatMayBeLegacyIsANewHandshakeStampedFreshly(t *testing.T) {
	w, a, _ := mixed(t, 1, nil)
	w.keep = true
	a.join(address(99), 10*time.Second)
	w.run(10 * time.Second)
	ids, keys := make(map[wire.HandshakeID]bool), make(map[[32]byte]bool)
	for _, d := range w.log {
		h := parsed(t, d.bytes)
		ids[h.ID], keys[h.PublicKey] = true, true
		if age := d.at.Sub(h.Timestamp); age != 0 {
			t.Errorf("a Hello whose timestamp is %v old", age)
		}
	}
	switch {
	case len(w.log) < 6:
		t.Errorf("%v packets were sent, want at least 6", len(w.log))
	case len(ids) != len(w.log):
		t.Errorf("len(ids) is %d, want %d: %v", len(ids), len(w.log), ids)
	case len(keys) != len(w.log):
		t.Errorf("len(keys) is %d, want %d: %v", len(keys), len(w.log), keys)
	}
}

func TestGoTeamIsRepeatedFiveTimesWithAProbeEach(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	w.keep = true
	g.initiate(a.addr)
	w.filter = func(d *datagram) bool {
		var p wire.Packet
		return wire.ParsePacket(&p, append([]byte(nil), d.bytes...)) == nil && p.Kind == wire.PacketHandshake && d.to == a.addr || parsesAs(d.bytes, wire.StepOhai)
	}
	w.run(30 * time.Second)
	goTeams := 0
	for _, d := range w.log {
		if parsesAs(d.bytes, wire.StepGoTeam) {
			goTeams++
		}
	}
	if goTeams != 1+goTeamRepeats || a.sessions[0].probes != goTeams {
		t.Errorf("%d GoTeams, %d probes", goTeams, a.sessions[0].probes)
	}
	if _, legacy := a.ep.HalfOpen(); legacy != 0 || !a.ep.NextTimeout().IsZero() {
		t.Error("something is left of the handshake")
	}
}

func TestLateGoTeamIsRepeatedUntilTheLegacyNodeHasIt(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	lost := 0
	w.filter = func(d *datagram) bool {
		if parsesAs(d.bytes, wire.StepGoTeam) && lost < 3 {
			lost++
			return false
		}
		return true
	}
	g.initiate(a.addr)
	w.run(30 * time.Second)
	if !a.sessions[0].confirmed || g.goTeams != 1 {
		t.Errorf("confirmed %v after %d GoTeams", a.sessions[0].confirmed, g.goTeams)
	}
}

func TestLegacyHandshakeOverALossyNetwork(t *testing.T) {
	for seed := range uint64(100) {
		w, a, g := mixed(t, seed, nil)
		w.reorder(10 * time.Millisecond)
		w.loss, w.double = 0.25, 0.25
		if seed%2 == 0 {
			a.join(g.addr, 60*time.Second)
		} else {
			g.initiate(a.addr)
			for i := range 12 {
				w.after(time.Duration(i)*5*time.Second, func() { g.initiate(a.addr) })
			}
		}
		w.run(70 * time.Second)
		w.loss = 0
		if key := g.installed[a.id()]; key != nil { // its heartbeat, in case all its Naks were lost
			g.say(a.addr, key, "heartbeat")
			w.run(time.Second)
		}
		newest := newestSession(a.sessions)
		if newest == nil || !newest.sealable {
			t.Fatalf("seed %d: no session, %v, %v", seed, a.failed, a.rejected)
		}
		a.say(newest, "now")
		w.run(time.Second)
		if !slices.Contains(g.opened, "now") {
			t.Errorf("seed %d: the legacy node does not open under the newest timestamp's key", seed)
		}
	}
}

// newestSession returns the session to seal under (PROTOCOL.md L1), or nil.
func newestSession(list []*testSession) (best *testSession) {
	for _, s := range list {
		if s.sealable && (best == nil || s.Timestamp.After(best.Timestamp)) {
			best = s
		}
	}
	return best
}

func TestSimultaneousOpenWithALegacyNodeWorksBothWays(t *testing.T) {
	for seed := range uint64(20) {
		w, a, g := mixed(t, seed, nil)
		w.reorder(5 * time.Millisecond)
		a.join(g.addr, 10*time.Second)
		w.after(time.Duration(seed)*time.Millisecond+1, func() { g.initiate(a.addr) })
		w.run(20 * time.Second)
		s := newestSession(a.sessions)
		if s == nil {
			t.Fatalf("seed %d: no session", seed)
		}
		naks := a.handed["nak"]
		a.say(s, "both ways")
		w.run(time.Second)
		if !slices.Contains(g.opened, "both ways") || a.handed["nak"] == naks {
			t.Errorf("seed %d: does not work both ways", seed)
		}
	}
}

func TestKnownLegacyNodeIsTriedEveryFiveSecondsAnUnknownOneEveryThree(t *testing.T) {
	for _, x := range []struct {
		peer  wire.NodeID
		every time.Duration
	}{{legacyID(7), 5 * time.Second}, {wire.NodeID{}, 3 * time.Second}, {goID(7), 3 * time.Second}} {
		w, a, _ := mixed(t, 1, nil)
		w.keep = true
		start := w.now
		a.initiate(address(99), x.peer, time.Minute)
		w.run(time.Minute)
		var at []time.Duration
		for _, d := range w.log {
			at = append(at, d.at.Sub(start))
		}
		checkLadder(t, at, x.every)
	}
}

// checkLadder requires pauses of 0.1, 0.2, 0.7 and 2 s and then of every, each with a deviation of up to a quarter.
func checkLadder(t *testing.T, at []time.Duration, every time.Duration) {
	t.Helper()
	steps := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 700 * time.Millisecond, 2 * time.Second}
	jittered := false
	for i := 1; i < len(at); i++ {
		want := every
		if i <= len(steps) {
			want = steps[i-1]
		}
		got := at[i] - at[i-1]
		jittered = jittered || got != want
		if got < want*3/4 || got > want*5/4 {
			t.Errorf("step %d took %v, want about %v", i, got, want)
		}
	}
	if !jittered || len(at) < 6 {
		t.Errorf("sent at %v", at)
	}
}

func TestLegacyPeersAreRefusedWhereTheyAreNotAllowed(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"not allowed": func(c *Config) { c.AllowLegacy = false },
		"labeled":     func(c *Config) { c.Labeled = true },
	} {
		w, a, g := mixed(t, 1, change)
		id := a.join(g.addr, 3*time.Second)
		g.initiate(a.addr)
		w.run(5 * time.Second)
		var refused *RefusedError
		if len(a.sessions) != 0 || a.rejected[LegacyRefused] < 2 {
			t.Errorf("%s: %d sessions, %v", name, len(a.sessions), a.rejected)
		}
		if !errors.As(a.failed[id], &refused) || refused.Reason != LegacyRefused {
			t.Errorf("%s: %v", name, a.failed[id])
		}
		if a.ep.budget.spent[unbound] > 0 {
			t.Errorf("%s: Hellos that cannot be taken were verified", name)
		}
	}
}

// PROTOCOL.md L8.
func TestUnboundHelloMoreThanASecondOffIsRefused(t *testing.T) {
	for _, off := range []time.Duration{-1001 * time.Millisecond, -999 * time.Millisecond, 999 * time.Millisecond, 1001 * time.Millisecond} {
		w, a, g := mixed(t, 1, nil)
		a.offset = off
		w.delay = func() time.Duration { return 0 }
		g.initiate(a.addr)
		w.runUntil(time.Second, func() bool { return g.ohais > 0 || a.total() > 0 })
		if want := off.Abs() < time.Second; (g.ohais > 0) != want || (a.rejected[TimeOff] > 0) == want {
			t.Errorf("%v: %d Ohais, %v", off, g.ohais, a.rejected)
		}
	}
}

// PROTOCOL.md X5.
func TestVersion8IdWithoutABlockIsRefusedAsResponderAndAsInitiator(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	g.id = goID(1)
	id := a.join(g.addr, 2*time.Second)
	g.initiate(a.addr)
	w.run(3 * time.Second)
	var refused *RefusedError
	switch {
	case len(a.sessions) != 0:
		t.Errorf("a has %v sessions, want 0", len(a.sessions))
	case g.ohais != 0:
		t.Errorf("the legacy node sent %v Ohais, want 0", g.ohais)
	case a.rejected[Unbound] < 2:
		t.Errorf("a refused %v unbound handshakes, want at least 2", a.rejected[Unbound])
	}
	if !errors.As(a.failed[id], &refused) || refused.Reason != Unbound {
		t.Error(a.failed[id])
	}
}

func TestOhaiToALegacyHelloCarriesABlockBoundToABlankOne(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	w.keep = true
	g.keys = append(g.keys, NewKey([]byte("only there"), ""))
	slices.Reverse(g.keys)
	g.initiate(a.addr)
	w.run(time.Second)
	hello, ohai := parsed(t, w.log[0].bytes), parsed(t, w.log[1].bytes)
	switch {
	case len(hello.Hmacs) != 2:
		t.Fatalf("the Hello has %v Hmacs, want 2", len(hello.Hmacs))
	case len(ohai.Hmacs) != 1:
		t.Fatalf("the Ohai has %v Hmacs, want 1", len(ohai.Hmacs))
	case len(a.sessions) != 1:
		t.Fatalf("a has %v sessions, want 1", len(a.sessions))
	}
	block, ok := parseBlock(new(Block), ohai.Hmacs[0].Message, roleOhai)
	if !ok {
		t.Fatal("no block")
	}
	heard := helloBinding(g.id, hello, make([]byte, blockHeader))
	if want := ohaiBinding(&heard, a.id(), ohai, new([32]byte), block); string(block[32:64]) != string(want[:]) {
		t.Error("the binding is another")
	}
}

func TestOkBossToALegacyNodeHasAResponsePerKey(t *testing.T) {
	w, a, g := mixed(t, 1, func(c *Config) {
		c.Keys = []Key{NewKey([]byte("only here"), ""), NewKey([]byte("secret"), "")}
	})
	w.keep = true
	g.keys = append([]Key{NewKey([]byte("only there"), "")}, g.keys...)
	a.join(g.addr, time.Second)
	w.run(time.Second)
	ohai, okBoss := parsed(t, w.log[1].bytes), parsed(t, w.log[2].bytes)
	switch {
	case len(okBoss.Responses) != 2:
		t.Fatalf("the OkBoss has %v responses, want 2", len(okBoss.Responses))
	case len(a.sessions) != 1:
		t.Fatalf("a has %v sessions, want 1", len(a.sessions))
	case !a.sessions[0].sealable:
		t.Fatal("no box may be sealed under the session of a")
	}
	for i, k := range a.cfg.Keys {
		if okBoss.Responses[i] != k.response(&ohai.Challenge, &ohai.PublicKey, ohai.ID) {
			t.Errorf("response %d is not key %d's", i, i)
		}
	}
}

func TestRepeatedLegacyOkBossDrawsAnotherGoTeamAndNoSession(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	w.keep = true
	g.initiate(a.addr)
	w.run(time.Second)
	for _, d := range w.log {
		if parsesAs(d.bytes, wire.StepOkBoss) {
			w.deliver(d)
		}
	}
	w.run(time.Second)
	if len(a.sessions) != 1 || g.goTeams != 2 {
		t.Errorf("%d sessions, %d GoTeams", len(a.sessions), g.goTeams)
	}
}

func TestLegacyHelloWithAPublicKeyOfLowOrderMakesNoSession(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	g.public = [32]byte{1}
	g.initiate(a.addr)
	w.run(time.Second)
	if len(a.sessions) != 0 || a.rejected[ZeroSecret] != 1 {
		t.Errorf("%d sessions, %v", len(a.sessions), a.rejected)
	}
	id := a.join(g.addr, time.Second)
	w.run(2 * time.Second)
	var refused *RefusedError
	switch {
	case len(a.sessions) != 0:
		t.Errorf("a has %v sessions, want 0", len(a.sessions))
	case !errors.As(a.failed[id], &refused):
		t.Errorf("%d sessions, %v", len(a.sessions), a.failed[id])
	case refused.Reason != ZeroSecret:
		t.Errorf("the reason is %v, want %v", refused.Reason, ZeroSecret)
	}
}

func TestBoxKeyIsWhatNaClPrecomputes(t *testing.T) {
	rand := newSeeded(1)
	var random, want [32]byte
	fill(rand, random[:])
	mine, _ := nodeid.X25519(&random)
	_, public := nodeid.X25519(&[32]byte{5})
	box.Precompute(&want, &public, &random)
	shared, ok := mine.Agree(&public)
	if !ok || boxKey(&shared) != want {
		t.Error("another key")
	}
}

// PROTOCOL.md S1.
func TestSharedSecretOfZerosIsRefused(t *testing.T) {
	for _, agreement := range []nodeid.Agreement{nodeid.X25519, nodeid.NoAgreement} {
		secret, _ := agreement(&[32]byte{})
		if _, ok := secret.Agree(&[32]byte{}); ok {
			t.Error("taken")
		}
	}
}
