package session

import (
	"errors"
	"testing"
	"testing/iotest"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestLegacyBoxesOpenAtTheOtherEnd(t *testing.T) {
	low, high := legacyPair()
	for seq, text := range []string{"", "hello", string(make([]byte, 21_000))} {
		d := low.SealLegacy(epoch, nil, uint32(seq+1), []byte(text))
		if p := parse(t, d); p.Seq != uint32(seq+1) || p.Box.Encoding != wire.Arrays {
			t.Errorf("packet %d in encoding %d", p.Seq, p.Box.Encoding)
		}
		mustOpen(t, high, d, text)
	}
}

func TestLegacyNoncesAreRandom(t *testing.T) {
	low, _ := legacyPair()
	seen := map[[24]byte]bool{}
	for range 1000 {
		nonce := parse(t, low.SealLegacy(epoch, nil, 1, []byte("same"))).Box.Nonce
		if seen[nonce] {
			t.Fatalf("nonce %x came twice", nonce)
		}
		seen[nonce] = true
	}
}

func TestRepeatedLegacyBoxIsDropped(t *testing.T) {
	low, high := legacyPair()
	d := low.SealLegacy(epoch, nil, 1, []byte("x"))
	mustOpen(t, high, d, "x")
	mustFail(t, high, d, ErrReplay)
}

func TestForgedLegacyBoxDoesNotBlockTheRealOne(t *testing.T) {
	low, high := legacyPair()
	d := low.SealLegacy(epoch, nil, 1, []byte("x"))
	forged := parse(t, d)
	forged.Box.Tag[3]++
	if _, err := high.Open(epoch, forged); err != ErrForged {
		t.Errorf("error %v", err)
	}
	mustOpen(t, high, d, "x")
}

func TestSealsOfTheOtherKindAppendNothing(t *testing.T) {
	bound, _ := pair(NaCl)
	legacy, _ := legacyPair()
	if b := bound.SealLegacy(epoch, nil, 1, nil); b != nil {
		t.Errorf("a bound session sealed %x", b)
	}
	if b := legacy.Seal(epoch, nil, nil); b != nil {
		t.Errorf("a legacy session sealed %x", b)
	}
}

func TestNothingIsSealedWithoutRandomness(t *testing.T) {
	low, _ := legacyPair()
	low.legacy.rand = iotest.ErrReader(errors.New("dry"))
	if b := low.SealLegacy(epoch, []byte("kept"), 1, []byte("x")); string(b) != "kept" {
		t.Errorf("sealed %x", b)
	}
}
