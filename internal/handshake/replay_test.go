package handshake

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// ohais counts the Ohais that were sent.
func (w *world) ohais() (n int) {
	for _, d := range w.log {
		if parsesAs(d.bytes, wire.StepOhai) {
			n++
		}
	}
	return n
}

func TestReplayedHelloIsNotAnsweredOnceItsHandshakeIsOver(t *testing.T) {
	for name, wait := range map[string]time.Duration{
		"completed a second ago": time.Second,
		"completed and gone":     15 * time.Second,
	} {
		w, a, b := pair(t, 1, nil)
		w.keep = true
		a.join(b.addr, 50*time.Millisecond)
		w.run(wait)
		sent, before := w.ohais(), state(b.ep)
		w.deliver(w.log[0])
		switch {
		case w.ohais() != sent:
			t.Errorf("%s: %v Ohais were sent, want %v", name, w.ohais(), sent)
		case b.rejected[Replayed] != 1:
			t.Errorf("%s: b refused %v packets as replayed, want 1", name, b.rejected[Replayed])
		case state(b.ep) != before:
			t.Errorf("%s: the state of b is %v, want %v", name, state(b.ep), before)
		}
	}
}

// The id of such a Hello was never proved, so its timestamp is not remembered: an insider could have made it.
func TestHelloOfAHandshakeThatNeverCompletedIsAnsweredOnceInTenSecondsUntilItIsTooOld(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	w.filter = func(d *datagram) bool { return !parsesAs(d.bytes, wire.StepOkBoss) }
	a.join(b.addr, 50*time.Millisecond)
	w.run(15 * time.Second)
	first, sent := w.log[0], w.ohais()
	w.filter = nil
	for range 60 * 10 {
		w.deliver(first)
		w.run(100 * time.Millisecond)
	}
	if got := w.ohais() - sent; got > 5*(1+repeatsMax) || got == 0 {
		t.Errorf("%d Ohais were sent", got)
	}
	if bound, _ := b.ep.HalfOpen(); bound != 0 || len(b.sessions) != 0 {
		t.Errorf("%d half-open handshakes and %d sessions", bound, len(b.sessions))
	}
}

func TestReplayCostsNoVerification(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	a.join(b.addr, time.Second)
	w.run(15 * time.Second)
	w.deliver(w.log[0]) // starts the window of this second
	spent := b.ep.budget.spent
	for range 100 {
		w.deliver(w.log[0])
	}
	if b.ep.budget.spent != spent || b.rejected[Replayed] != 101 {
		t.Errorf("spent %v, before %v; %d replays", b.ep.budget.spent, spent, b.rejected[Replayed])
	}
}

// PROTOCOL.md R1.
func TestReplyPathIsWhereTheOkBossCameFromAndNoDuplicateMovesIt(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.keep = true
	moved := netip.MustParseAddrPort("192.0.2.9:9")
	w.filter = func(d *datagram) bool {
		if parsesAs(d.bytes, wire.StepOkBoss) {
			d.from = moved
		}
		return true
	}
	a.join(b.addr, time.Second)
	w.run(14 * time.Millisecond)
	okBoss := w.log[2]
	w.run(2 * time.Millisecond)
	if len(b.sessions) != 1 || b.sessions[0].Path.Remote != moved {
		t.Fatal("not the source of the OkBoss")
	}
	okBoss.from = address(44)
	w.deliver(okBoss)
	if x := b.ep.half.all[halfKey{a.id(), b.sessions[0].Handshake}]; x.path.Remote != moved || w.log[len(w.log)-1].to != address(44) {
		t.Error("a repeat moved the path, or was not answered where it came from")
	}
}

func TestAlteredHelloUnderOurOwnIdIsNotOurself(t *testing.T) {
	w, a, _ := pair(t, 1, nil)
	w.keep = true
	a.join(address(90), time.Second)
	h := parsed(t, w.log[0].bytes)
	h.PublicKey[0]++
	before := state(a.ep)
	a.receive(datagram{w.now, address(90), a.addr, wire.AppendHandshake(nil, 1, a.id(), h)})
	switch {
	case len(a.self) != 0:
		t.Errorf("a reached itself %v times, want 0", len(a.self))
	case a.rejected[OwnID] != 1:
		t.Errorf("a refused %v packets with its own id, want 1", a.rejected[OwnID])
	case state(a.ep) != before:
		t.Errorf("the state of a is %v, want %v", state(a.ep), before)
	}
}

func TestGoTeamOfAnotherNodeMeansNothing(t *testing.T) {
	w, a, g := mixed(t, 1, nil)
	g.mute = func(s wire.Step) bool { return s == wire.StepGoTeam }
	a.join(g.addr, time.Second)
	w.run(50 * time.Millisecond)
	s := a.sessions[0]
	a.receive(datagram{w.now, g.addr, a.addr, wire.AppendHandshake(nil, 1, legacyID(7), &wire.Handshake{ID: s.Handshake, Step: wire.StepGoTeam})})
	switch {
	case s.sealable:
		t.Error("boxes may be sealed under the session")
	case a.rejected[Unexpected] != 1:
		t.Errorf("a refused %v unexpected packets, want 1", a.rejected[Unexpected])
	case len(a.ep.attempts) != 1:
		t.Errorf("a has %v attempts, want 1", len(a.ep.attempts))
	}
}

func TestConfirmMeansOnlyTheHandshakeThatItNames(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	w.filter = func(d *datagram) bool { return d.to == b.addr || parsesAs(d.bytes, wire.StepOhai) }
	a.join(b.addr, 10*time.Second)
	w.run(8 * time.Millisecond)
	var id wire.HandshakeID
	for id = range a.ep.pending {
	}
	b.ep.Confirm(w.now, id, a.id())
	a.ep.Confirm(w.now, id, b.id())
	if len(a.ep.attempts) != 1 || b.ep.half.all[halfKey{a.id(), id}].confirmed {
		t.Error("confirmed before there was a session")
	}
	w.run(50 * time.Millisecond)
	a.ep.Confirm(w.now, id, goID(7))
	a.ep.Confirm(w.now, wire.HandshakeID{}, b.id())
	if len(a.ep.attempts) != 1 {
		t.Error("confirmed by another node or another handshake")
	}
	a.ep.Confirm(w.now, id, b.id())
	if len(a.ep.attempts) != 0 {
		t.Error("not confirmed")
	}
}

func TestKeysAreWipedWhenTheyWereHandedOver(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	a.join(b.addr, time.Second)
	w.run(time.Second)
	for _, n := range []*node{a, b} {
		switch {
		case len(n.kept) != 1:
			t.Errorf("%v sessions were handed over, want 1", len(n.kept))
		case n.kept[0].SendKey != [32]byte{}:
			t.Errorf("the sending key is %v, want %v", n.kept[0].SendKey, [32]byte{})
		case n.kept[0].RecvKey != [32]byte{}:
			t.Errorf("the receiving key is %v, want %v", n.kept[0].RecvKey, [32]byte{})
		}
	}
	talk(t, w, a, b)
}
