package gossip

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func originID(tag byte, n uint64) (id wire.MessageID) {
	id[0], id[6] = tag, 0x80
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func TestEachMessageIsFirstOnce(t *testing.T) {
	var s seen
	now := time.Unix(0, 0)
	rng := newTestRand(4)
	met := map[wire.MessageID]bool{}
	for top := uint64(1); top < 60_000; top++ {
		n := top
		if rng.IntN(3) == 0 {
			n = top - min(top, uint64(rng.IntN(1500)))
		}
		id := originID(byte(rng.IntN(3)), n)
		if rng.IntN(10) == 0 {
			id[6] = 0x40 // one of gwyh 0.1
		}
		if had := s.has(&id); had != met[id] {
			t.Fatalf("has(%v) = %v", id, had)
		}
		if first := s.first(now, &id); first == met[id] {
			t.Fatalf("first(%v) = %v", id, first)
		}
		met[id] = true
	}
}

func TestMessageFarBehindCountsAsMetAndWidensTheWindow(t *testing.T) {
	var s seen
	now := time.Unix(0, 0)
	at := func(n uint64) bool { id := originID(1, n); return s.first(now, &id) }
	at(1_000_000)
	if at(1_000_000 - 5_000) {
		t.Error("a message below the window was taken for new")
	}
	at(1_004_000)
	if !at(1_001_000) || !at(1_001_001) || at(1_001_000) {
		t.Error("the window did not grow")
	}
	if at(1 << 63) {
		t.Error("a jump that would end the window was taken for new")
	}
	if !at(1 << 31) {
		t.Error("a far jump was not new")
	}
	if at(1_000_000) {
		t.Error("what fell out of the window is new again")
	}
}

func TestSeenIsBounded(t *testing.T) {
	var s seen
	now := time.Unix(0, 0)
	for i := range uint64(3 * seenForeignMax) {
		id := originID(0, i)
		id[6] = 0x40
		s.first(now, &id)
		binary.BigEndian.PutUint32(id[:4], uint32(i))
		id[6] = 0x80
		s.first(now, &id)
	}
	if len(s.now)+len(s.before) > 2*seenForeignMax || len(s.origins) > seenOriginsMax {
		t.Errorf("%d and %d foreign ids, %d origins", len(s.now), len(s.before), len(s.origins))
	}
}
