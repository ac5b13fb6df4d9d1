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

// A node that is slow, and one whose link lost something, meet messages long after others of the same origin.
func TestWindowGrowsBeforeItForgetsWhatIsStillToCome(t *testing.T) {
	var s seen
	now := time.Unix(0, 0)
	first := func(n uint64) bool { id := originID(1, n); return s.first(now, &id) }
	const begin, late, all = 1_000_000, 1_000_100, 64 * seenWindowMax
	for n := uint64(begin); n < begin+all-200; n++ {
		if n%late != 0 && !first(n) {
			t.Fatalf("%d was met", n)
		}
	}
	if !first(late) || first(late) {
		t.Error("what was late is not new, or new twice")
	}
	// What is complete takes no more room than at the start.
	for n := range uint64(10 * 64 * seenWindowMin) {
		if id := originID(2, n); !s.first(now, &id) {
			t.Fatalf("%d of another origin was met", n)
		}
	}
	for _, w := range s.origins {
		if w.top < begin && len(w.words) != seenWindowMin {
			t.Errorf("%d words for an origin of which nothing is late", len(w.words))
		}
	}
}

func TestWindowsGrowWithinTheirRoom(t *testing.T) {
	var s seen
	now := time.Unix(0, 0)
	for tag := range 2 * seenRoom / seenWindowMax {
		for block := range uint64(2 * seenWindowMax) { // of which most is missing
			id := originID(0, block*64)
			binary.BigEndian.PutUint32(id[1:5], uint32(tag))
			s.first(now, &id)
		}
	}
	words, narrow := 0, 0
	for _, w := range s.origins {
		words += len(w.words)
		if len(w.words) == seenWindowOwn {
			narrow++
		}
	}
	if words > seenRoom+len(s.origins)*seenWindowOwn || narrow == 0 || s.wide > seenRoom {
		t.Errorf("%d words, %d of them beyond their own, of %d origins", words, s.wide, len(s.origins))
	}
	s.sweep(now.Add(seenOriginAge + time.Second))
	if s.wide != 0 || len(s.origins) != 0 {
		t.Errorf("%d words of none", s.wide)
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

// The first message of an origin that comes need not be its first: what it overtook is delivered too, however fast
// the origin goes on.
func TestMessagesThatTheFirstOneOvertookAreNotForgotten(t *testing.T) {
	for _, young := range []bool{true, false} {
		var s seen
		now := time.Unix(0, 0)
		const overtaken, later = 2000, 20_000
		base := uint64(1 << 30)
		if young {
			base = 0
		}
		id := func(n uint64) *wire.MessageID { id := originID(7, base+n); return &id }
		for n := range uint64(later) {
			now = now.Add(50 * time.Microsecond)
			if !s.first(now, id(overtaken+n)) {
				t.Fatalf("message %d counts as met", overtaken+n)
			}
		}
		for n := range uint64(overtaken) {
			if !s.first(now, id(n)) {
				t.Fatalf("message %d, which others overtook, counts as met; origin young: %v", n, young)
			}
		}
	}
}

// What can never be told from a repetition any more is counted.
func TestMessagesThatLeaveTheWindowBeforeTheyCameAreCounted(t *testing.T) {
	var s seen
	now := time.Unix(0, 0)
	const missing = 300
	for n := range uint64(4 * 64 * seenWindowMax) {
		now = now.Add(time.Millisecond)
		if n >= 1000 && n < 1000+missing {
			continue
		}
		if id := originID(7, 1<<30+n); !s.first(now, &id) {
			t.Fatalf("message %d counts as met", n)
		}
		if n == 64*seenWindowMax && s.outrun != 0 {
			t.Fatalf("%d counted while they may still come", s.outrun)
		}
	}
	if s.outrun != missing {
		t.Errorf("%d counted, want %d", s.outrun, missing)
	}
}
