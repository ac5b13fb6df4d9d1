package session

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"
)

// PROTOCOL.md S2.
func TestBoxesOpenAtTheOtherEndOnly(t *testing.T) {
	low, high := pair(NaCl)
	there, back := seal(low, "there"), seal(high, "back")
	mustOpen(t, high, there, "there")
	mustOpen(t, low, back, "back")
	mustFail(t, low, there, ErrSender)
	if low.Sent() != 1 || low.LastOpened() != epoch {
		t.Errorf("sent %d, last opened at %v", low.Sent(), low.LastOpened())
	}
}

func TestReflectedBoxIsRefusedEvenUnderThePeersID(t *testing.T) {
	low, _ := pair(NaCl)
	p := parse(t, seal(low, "mirror"))
	p.Sender = highID
	if _, err := low.Open(epoch, p); err != ErrForged {
		t.Errorf("error %v", err)
	}
}

func TestPlaintextAliasesTheDatagram(t *testing.T) {
	low, high := pair(NaCl)
	p := parse(t, seal(low, "in place"))
	plain, err := high.Open(epoch, p)
	if err != nil || &plain[0] != &p.Box.Data[0] {
		t.Errorf("opened elsewhere (%v)", err)
	}
}

func TestSealAppends(t *testing.T) {
	low, high := pair(NaCl)
	b := low.Seal(epoch, []byte("before"), []byte("text"))
	rest, ok := bytes.CutPrefix(b, []byte("before"))
	if !ok {
		t.Fatalf("%q does not begin with what was there", b)
	}
	mustOpen(t, high, rest, "text")
}

// PROTOCOL.md S3, S4.
func TestNonceIsThePrefixAndACounterWhoseLowHalfNumbersThePacket(t *testing.T) {
	low, _ := pair(NaCl)
	for _, counter := range []uint64{1, 2, math.MaxUint32, 1 << 32, 1<<32 + 1, math.MaxUint64} {
		p := parse(t, sealAt(low, counter))
		if [16]byte(p.Box.Nonce[:16]) != low.Prefix() || binary.BigEndian.Uint64(p.Box.Nonce[16:]) != counter {
			t.Errorf("counter %d: nonce %x", counter, p.Box.Nonce)
		}
		if p.Seq != uint32(counter) {
			t.Errorf("counter %d: packet %d", counter, p.Seq)
		}
	}
}

func TestReplayedBoxIsDropped(t *testing.T) {
	low, high := pair(NaCl)
	first, second := seal(low, "one"), seal(low, "two")
	mustOpen(t, high, first, "one")
	mustFail(t, high, first, ErrReplay)
	mustOpen(t, high, second, "two")
	mustFail(t, high, first, ErrReplay)
	mustFail(t, high, second, ErrReplay)
}

func TestBoxesOpenInAnyOrderWithinTheWindow(t *testing.T) {
	low, high := pair(NaCl)
	var datagrams [WindowSize][]byte
	for i := range datagrams {
		datagrams[i] = seal(low, fmt.Sprint(i))
	}
	for n := range datagrams {
		i := n * 1009 % len(datagrams) // 1009 is coprime to the size
		mustOpen(t, high, datagrams[i], fmt.Sprint(i))
	}
	for _, d := range datagrams {
		mustFail(t, high, d, ErrReplay)
	}
}

func TestBoxOlderThanTheWindowIsDropped(t *testing.T) {
	low, high := pair(NaCl)
	lost, late := sealAt(low, 1), sealAt(low, 2)
	mustOpen(t, high, sealAt(low, WindowSize+1), "x")
	mustFail(t, high, lost, ErrReplay)
	mustOpen(t, high, late, "x")
}

func TestBoxFarAheadOpensAndMovesTheWindow(t *testing.T) {
	low, high := pair(NaCl)
	mustOpen(t, high, sealAt(low, 1), "x")
	old := sealAt(low, 2)
	mustOpen(t, high, sealAt(low, 1<<40), "x")
	mustFail(t, high, old, ErrReplay)
	mustOpen(t, high, sealAt(low, 1<<40-1), "x")
	mustOpen(t, high, sealAt(low, 1<<40+1), "x")
}

func TestCountersPassFourBillion(t *testing.T) {
	low, high := pair(NaCl)
	low.sent = math.MaxUint32 - 5
	for i := range 10 {
		d := seal(low, fmt.Sprint(i))
		mustOpen(t, high, d, fmt.Sprint(i))
		mustFail(t, high, d, ErrReplay)
	}
}

// PROTOCOL.md S3.
func TestCountersNeverWrap(t *testing.T) {
	low, high := pair(NaCl)
	last := sealAt(low, math.MaxUint64)
	mustOpen(t, high, last, "x")
	mustFail(t, high, last, ErrReplay)
	if b := low.Seal(epoch, []byte("kept"), []byte("x")); string(b) != "kept" {
		t.Errorf("sealed %x after the last counter", b)
	}
	legacy, _ := legacyPair()
	legacy.sent = math.MaxUint64
	if b := legacy.SealLegacy(epoch, nil, 1, nil); len(b) > 0 {
		t.Errorf("sealed %x after the last counter", b)
	}
}

// PROTOCOL.md S5.
func TestForgedBoxMovesNothing(t *testing.T) {
	low, high := pair(NaCl)
	mustOpen(t, high, seal(low, "real"), "real")
	before := high.window.clone()
	for _, counter := range []uint64{2, 3, WindowSize, 1 << 40, math.MaxUint64} {
		p := parse(t, seal(low, "forged"))
		binary.BigEndian.PutUint64(p.Box.Nonce[16:], counter)
		if counter == low.Sent() {
			p.Box.Tag[0]++
		}
		if _, err := high.Open(epoch.Add(time.Hour), p); err != ErrForged {
			t.Errorf("counter %d: error %v", counter, err)
		}
	}
	switch {
	case !high.window.equal(&before):
		t.Errorf("the window is %v, want %v", high.window, before)
	case high.opened != 1:
		t.Errorf("%v boxes were opened, want 1", high.opened)
	case high.LastOpened() != epoch:
		t.Errorf("the last box opened at %v, want %v", high.LastOpened(), epoch)
	}
	mustOpen(t, high, sealAt(low, 2), "x")
}

func TestBoxOfCounterZeroIsDropped(t *testing.T) {
	low, high := pair(NaCl)
	p := parse(t, seal(low, "x"))
	clear(p.Box.Nonce[16:])
	low.suite.Seal(&low.send, new([8]byte), &p.Box.Tag, p.Box.Data, []byte("x"))
	if _, err := high.Open(epoch, p); err != ErrReplay {
		t.Errorf("error %v", err)
	}
}

// PROTOCOL.md S6.
func TestBoxOfAnotherSenderOrSessionIsDropped(t *testing.T) {
	low, high := pair(NaCl)
	d := seal(low, "x")
	p := parse(t, d)
	p.Sender[15]++
	if _, err := high.Open(epoch, p); err != ErrSender {
		t.Errorf("another sender: %v", err)
	}
	p = parse(t, d)
	p.Box.Nonce[15]++
	if _, err := high.Open(epoch, p); err != ErrPrefix {
		t.Errorf("another prefix: %v", err)
	}
	mustOpen(t, high, d, "x")
}

func TestClosedSessionNeitherSealsNorOpensAndHoldsNoKey(t *testing.T) {
	low, high := pair(NaCl)
	d := seal(low, "x")
	low.close()
	high.close()
	if b := seal(low, "x"); b != nil {
		t.Errorf("sealed %x", b)
	}
	mustFail(t, high, d, ErrClosed)
	if low.send != [32]byte{} || low.recv != [32]byte{} {
		t.Error("keys are still there")
	}
}

func TestFirstBoxConfirmsNothingByItself(t *testing.T) {
	low, high := pair(NaCl)
	mustOpen(t, high, seal(low, "x"), "x")
	if high.Confirmed() {
		t.Error("the Set confirms, not Open")
	}
}

func TestSealAndOpenDoNotAllocate(t *testing.T) {
	for name, suite := range suites {
		low, high := pair(suite)
		plain, buf := make([]byte, 1300), make([]byte, 0, 1500)
		var p wirePacket
		if n := testing.AllocsPerRun(100, func() { sealAndOpen(t, low, high, &p, buf, plain) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestLegacySealAndOpenDoNotAllocate(t *testing.T) {
	low, high := legacyPair()
	plain, buf := make([]byte, 1300), make([]byte, 0, 4000)
	var p wirePacket
	if n := testing.AllocsPerRun(100, func() { sealAndOpenLegacy(t, low, high, &p, buf, plain) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSessionHasWhatItsHandshakeSaid(t *testing.T) {
	p, _ := params(random(5), epoch, true, NaCl)
	s := New(epoch, p)
	switch {
	case s.Peer() != p.Peer:
		t.Errorf("the peer is %v, want %v", s.Peer(), p.Peer)
	case s.Handshake() != p.Handshake:
		t.Errorf("the handshake is %v, want %v", s.Handshake(), p.Handshake)
	case s.Prefix() != p.Prefix:
		t.Errorf("the prefix is %v, want %v", s.Prefix(), p.Prefix)
	case s.Legacy():
		t.Error("the session is legacy")
	case !s.Initiator():
		t.Error("the node does not count as the initiator")
	case s.Fingerprint() != p.Fingerprint:
		t.Errorf("the fingerprint is %v, want %v", s.Fingerprint(), p.Fingerprint)
	case s.Path() != p.Path:
		t.Errorf("the path is %v, want %v", s.Path(), p.Path)
	case s.Timestamp() != p.Timestamp:
		t.Errorf("the timestamp is %v, want %v", s.Timestamp(), p.Timestamp)
	case s.Closed():
		t.Error("the session is closed")
	}
}
