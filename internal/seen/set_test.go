package seen

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func originID(origin byte, n uint64) (id wire.MessageID) {
	id[0], id[6] = origin, 0x80
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func TestEachMessageIsFirstOnce(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	rng := rand.New(rand.NewPCG(4, 4))
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
		if had := s.Has(&id); had != met[id] {
			t.Fatalf("has(%v) = %v", id, had)
		}
		if first := s.First(now, &id); first == met[id] {
			t.Fatalf("first(%v) = %v", id, first)
		}
		met[id] = true
	}
}

func TestMessageFarBehindCountsAsMetAndWidensTheWindow(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	at := func(n uint64) bool { id := originID(1, n); return s.First(now, &id) }
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
	var s Set
	now := time.Unix(0, 0)
	first := func(n uint64) bool { id := originID(1, n); return s.First(now, &id) }
	const begin, late, all = 1_000_000, 1_000_100, 64 * windowMax
	for n := uint64(begin); n < begin+all-200; n++ {
		if n%late != 0 && !first(n) {
			t.Fatalf("%d was met", n)
		}
	}
	if !first(late) || first(late) {
		t.Error("what was late is not new, or new twice")
	}
	// What is complete takes no more room than at the start.
	for n := range uint64(10 * 64 * windowMin) {
		if id := originID(2, n); !s.First(now, &id) {
			t.Fatalf("%d of another origin was met", n)
		}
	}
	for _, w := range s.origins {
		if w.top < begin && len(w.words) != windowMin {
			t.Errorf("%d words for an origin of which nothing is late", len(w.words))
		}
	}
}

func TestWindowsGrowWithinTheirRoom(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	for tag := range 2 * room / windowMax {
		for block := range uint64(2 * windowMax) { // of which most is missing
			id := originID(0, block*64)
			binary.BigEndian.PutUint32(id[1:5], uint32(tag))
			s.First(now, &id)
		}
	}
	words, narrow := 0, 0
	for _, w := range s.origins {
		words += len(w.words)
		if len(w.words) == windowOwn {
			narrow++
		}
	}
	if words > room+len(s.origins)*windowOwn || narrow == 0 || s.wide > room {
		t.Errorf("%d words, %d of them beyond their own, of %d origins", words, s.wide, len(s.origins))
	}
	s.sweep(now.Add(originAge + time.Second))
	if s.wide != 0 || len(s.origins) != 0 {
		t.Errorf("%d words of none", s.wide)
	}
}

func TestSeenIsBounded(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	for i := range uint64(3 * foreignMax) {
		id := originID(0, i)
		id[6] = 0x40
		s.First(now, &id)
		binary.BigEndian.PutUint32(id[:4], uint32(i))
		id[6] = 0x80
		s.First(now, &id)
	}
	if len(s.current)+len(s.before) > 2*foreignMax || len(s.origins) > originsMax {
		t.Errorf("%d and %d foreign ids, %d origins", len(s.current), len(s.before), len(s.origins))
	}
}

// The first message of an origin that comes need not be its first: what it overtook is delivered too, however fast
// the origin goes on.
func TestMessagesThatTheFirstOneOvertookAreNotForgotten(t *testing.T) {
	for _, young := range []bool{true, false} {
		var s Set
		now := time.Unix(0, 0)
		const overtaken, later = 2000, 20_000
		base := uint64(1 << 30)
		if young {
			base = 0
		}
		id := func(n uint64) *wire.MessageID { id := originID(7, base+n); return &id }
		for n := range uint64(later) {
			now = now.Add(50 * time.Microsecond)
			if !s.First(now, id(overtaken+n)) {
				t.Fatalf("message %d counts as met", overtaken+n)
			}
		}
		for n := range uint64(overtaken) {
			if !s.First(now, id(n)) {
				t.Fatalf("message %d, which others overtook, counts as met; origin young: %v", n, young)
			}
		}
	}
}

// What can never be told from a repetition any more is counted.
func TestMessagesThatLeaveTheWindowBeforeTheyCameAreCounted(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	const missing = 300
	for n := range uint64(4 * 64 * windowMax) {
		now = now.Add(time.Millisecond)
		if n >= 1000 && n < 1000+missing {
			continue
		}
		if id := originID(7, 1<<30+n); !s.First(now, &id) {
			t.Fatalf("message %d counts as met", n)
		}
		if n == 64*windowMax && s.outrun != 0 {
			t.Fatalf("%d counted while they may still come", s.outrun)
		}
	}
	if s.outrun != missing {
		t.Errorf("%d counted, want %d", s.outrun, missing)
	}
}

func TestForeignIDsAreRememberedForAGenerationAtLeast(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	foreign := func(n uint64) *wire.MessageID { id := originID(3, n); id[6] = 0x40; return &id }
	if !s.First(now, foreign(1)) {
		t.Fatal("the first foreign id counts as met")
	}
	for _, after := range []time.Duration{time.Second, foreignAge, foreignAge + time.Second} {
		if s.First(now.Add(after), foreign(1)) {
			t.Errorf("the id is new again after %v", after)
		}
		s.First(now.Add(after), foreign(2+uint64(after)))
	}
	s.First(now.Add(3*foreignAge), foreign(1000))
	if !s.First(now.Add(3*foreignAge), foreign(1)) {
		t.Error("the id is still there after two generations")
	}
}

func TestOriginsWithoutMessagesAreForgottenWhenAnotherComes(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	at := func(origin byte, after time.Duration) bool {
		id := originID(origin, 7)
		return s.First(now.Add(after), &id)
	}
	at(1, 0)
	at(2, originAge/2)
	at(3, originAge+time.Second)
	if got := s.Origins(); got != 2 {
		t.Errorf("%d origins, want the two with messages lately", got)
	}
	if at(2, originAge+time.Second) {
		t.Error("a message of an origin that was not idle is new again")
	}
	if !at(1, originAge+time.Second) {
		t.Error("a message of an origin that was idle is still remembered")
	}
}

func TestInventedOriginsForgetAllAndNoMore(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	for i := range uint32(originsMax) {
		id := originID(9, 1)
		binary.BigEndian.PutUint32(id[:4], i)
		s.First(now, &id)
	}
	if got := s.Origins(); got != originsMax {
		t.Fatalf("%d origins, want %d", got, originsMax)
	}
	id := originID(200, 1)
	s.First(now, &id)
	if got := s.Origins(); got != 1 {
		t.Errorf("%d origins after one too many, want 1", got)
	}
	if s.First(now, &id) {
		t.Error("the last message is not remembered")
	}
}

func TestFirstAllocatesNothingForAnOriginThatIsKnown(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	n := uint64(0)
	next := func() { n++; id := originID(1, n); s.First(now, &id); s.Has(&id) }
	for range 64 * windowMin {
		next()
	}
	if got := testing.AllocsPerRun(1000, next); got != 0 {
		t.Errorf("%v allocations per message", got)
	}
}
