package seen

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
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
			id[6] = 0x40 // an id of gwyh 0.1
		}
		if had := s.Has(&id); had != met[id] {
			t.Fatalf("has(%v) = %v", id, had)
		}
		if first := s.First(now, &id, nil); first == met[id] {
			t.Fatalf("first(%v) = %v", id, first)
		}
		met[id] = true
	}
}

// PROTOCOL.md D6.
func TestMessageFarBehindCountsAsMetAndWidensTheWindow(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	at := func(n uint64) bool { id := originID(1, n); return s.First(now, &id, nil) }
	at(1_000_000)
	if at(1_000_000 - 20_000) {
		t.Error("a message below the window was taken for new")
	}
	at(1_004_000)
	for _, c := range []struct {
		counter uint64
		first   bool
	}{{1_001_000, true}, {1_001_001, true}, {1_001_000, false}} {
		if got := at(c.counter); got != c.first {
			t.Errorf("counter %d comes for the first time: %t, want %t", c.counter, got, c.first)
		}
	}
	const newest = 1_004_000
	if at(1<<63) || at(newest+(1<<32)+1) {
		t.Error("a jump that would end the window was taken for new")
	}
	if !at(1 << 31) {
		t.Error("a far jump was not new")
	}
	if at(1_000_000) {
		t.Error("what fell out of the window is new again")
	}
}

// A slow node, or one behind a lossy link, receives messages long after later ones of the same origin.
func TestWindowGrowsBeforeItForgetsWhatIsStillToCome(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	first := func(n uint64) bool { id := originID(1, n); return s.First(now, &id, nil) }
	const begin, late, all = 1_000_000, 1_000_100, 64 * windowMax
	for n := uint64(begin); n < begin+all-200; n++ {
		if n%late != 0 && !first(n) {
			t.Fatalf("%d was met", n)
		}
	}
	if !first(late) || first(late) {
		t.Error("what was late is not new, or new twice")
	}
	// An origin without missing messages takes no more memory than at the start.
	for n := range uint64(10 * 64 * windowMin) {
		if id := originID(2, n); !s.First(now, &id, nil) {
			t.Fatalf("%d of another origin was met", n)
		}
	}
	for _, w := range s.origins {
		if w.top < begin && len(w.words) != windowMin {
			t.Errorf("%d words for an origin of which nothing is late", len(w.words))
		}
	}
}

// heap returns the bytes that are in use after f and were not before.
func heap(f func()) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

// invented returns a message id of a nonexistent origin.
func invented(origin uint32, n uint64) *wire.MessageID {
	id := originID(9, n)
	binary.BigEndian.PutUint32(id[1:5], origin)
	return &id
}

// A member invents origins, counters and random ids in ways that use much memory (PROTOCOL.md D6).
func TestAllWindowsTogetherStayWithinTheBudgetWhateverComes(t *testing.T) {
	for name, x := range map[string]struct{ origins, messages, step uint64 }{
		"many origins":                      {200_000, 1, 1},
		"many origins, just below 16,384":   {200_000, 2, 16_300},
		"many origins of a few counters":    {60_000, 40, 60},
		"fewer origins that leave most out": {3_000, 1_000, 64},
		"origins that send in order":        {3_000, 1_500, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s, now := new(Set), time.Unix(0, 0)
			bytes := heap(func() {
				for n := range x.messages {
					for origin := range x.origins {
						s.First(now, invented(uint32(origin), n*x.step), nil)
					}
				}
				for n := range uint64(3 * singleMax) {
					id := originID(1, n)
					id[6] = 0x40
					s.First(now, &id, nil)
				}
			})
			t.Logf("%d bytes, %d origins", bytes, s.Origins())
			if bytes > Budget {
				t.Errorf("%d bytes, of which the budget has %d", bytes, Budget)
			}
			if s.bytes > s.windowsMax() {
				t.Errorf("%d bytes counted for the windows, of which there may be %d", s.bytes, s.windowsMax())
			}
			runtime.KeepAlive(s)
		})
	}
}

// Messages of honest nodes are delivered once even if a member has filled all windows.
func TestInventedOriginsLoseAndRepeatNoMessageOfOthers(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	old := func(n uint64) *wire.MessageID { id := originID(1, n); return &id }
	for n := range uint64(1000) {
		s.First(now, old(n), nil)
	}
	for origin := range uint32(200_000) {
		s.First(now, invented(origin, 16_300), nil)
	}
	young := func(n uint64) *wire.MessageID { id := originID(2, n); return &id }
	for n := range uint64(1000) {
		if s.First(now, old(n), nil) {
			t.Fatalf("message %d of an origin from before is new again", n)
		}
		if !s.First(now, old(1000+n), nil) {
			t.Fatalf("message %d of an origin from before counts as met", 1000+n)
		}
		if !s.First(now, young(n), nil) {
			t.Fatalf("message %d of an origin from after counts as met", n)
		}
		if s.First(now, young(n), nil) || !s.Has(young(n)) {
			t.Fatalf("message %d of an origin from after is new again", n)
		}
	}
}

// Above a limit, further origins of one peer get no window, but each of their messages counts as new once, even after
// the origin has got a window.
func TestPeerBringsABoundedNumberOfOrigins(t *testing.T) {
	var s Set
	var one, other Source
	now := time.Unix(0, 0)
	const most = 4096
	for origin := range uint32(2 * most) {
		if !s.First(now, invented(origin, 1), &one) || s.First(now, invented(origin, 1), &one) {
			t.Fatalf("the message of origin %d is not new exactly once", origin)
		}
	}
	if got := s.Origins(); got != most {
		t.Errorf("%d windows for what one peer brought, want %d", got, most)
	}
	last := uint32(2*most - 1)
	if !s.First(now, invented(last, 2), &other) || s.Origins() != most+1 {
		t.Errorf("%d windows: another peer brings an origin that gets none", s.Origins())
	}
	if s.First(now, invented(last, 1), &other) || !s.Has(invented(last, 1)) {
		t.Error("a message that came before its origin had a window is new again")
	}
	now = now.Add(time.Second)
	for origin := range uint32(most) {
		s.First(now, invented(3*most+origin, 1), &one)
	}
	if got := s.Origins(); got != most+1+64 {
		t.Errorf("%d windows a second later, want 64 more than %d", got, most+1)
	}
}

// A few messages do not create a large window.
func TestLargeWindowIsOfAnOriginThatSendsInOrder(t *testing.T) {
	words := func(step uint64) int {
		var s Set
		now := time.Unix(0, 0)
		for n := range uint64(64 * windowMax) {
			if n%1000 != 500 {
				s.First(now, invented(1, n*step), nil)
			}
		}
		for _, w := range s.origins {
			return len(w.words)
		}
		return 0
	}
	if got := words(1); got != windowMax {
		t.Errorf("%d words for an origin that sends in order, want %d", got, windowMax)
	}
	if got := words(60); got > windowTrust {
		t.Errorf("%d words for one that leaves most out, want %d at most", got, windowTrust)
	}
}

// The first message of an origin to arrive need not be its first one: the messages that it overtook are delivered too,
// however fast the origin sends (PROTOCOL.md D7).
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
			if !s.First(now, id(overtaken+n), nil) {
				t.Fatalf("message %d counts as met", overtaken+n)
			}
		}
		for n := range uint64(overtaken) {
			if !s.First(now, id(n), nil) {
				t.Fatalf("message %d, which others overtook, counts as met; origin young: %v", n, young)
			}
		}
	}
}

// Messages that can no longer be distinguished from duplicates are counted.
func TestMessagesThatLeaveTheWindowBeforeTheyCameAreCounted(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	const missing = 300
	for n := range uint64(4 * 64 * windowMax) {
		now = now.Add(time.Millisecond)
		if n >= 1000 && n < 1000+missing {
			continue
		}
		if id := originID(7, 1<<30+n); !s.First(now, &id, nil) {
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

// PROTOCOL.md D7.
func TestForeignIDsAreRememberedForAGenerationAtLeast(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	foreign := func(n uint64) *wire.MessageID { id := originID(3, n); id[6] = 0x40; return &id }
	if !s.First(now, foreign(1), nil) {
		t.Fatal("the first foreign id counts as met")
	}
	for _, after := range []time.Duration{time.Second, singleAge, singleAge + time.Second} {
		if s.First(now.Add(after), foreign(1), nil) {
			t.Errorf("the id is new again after %v", after)
		}
		s.First(now.Add(after), foreign(2+uint64(after)), nil)
	}
	s.First(now.Add(3*singleAge), foreign(1000), nil)
	if !s.First(now.Add(3*singleAge), foreign(1), nil) {
		t.Error("the id is still there after two generations")
	}
}

func TestOriginsWithoutMessagesAreForgottenWhenAnotherComes(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	at := func(origin byte, after time.Duration) bool {
		id := originID(origin, 7)
		return s.First(now.Add(after), &id, nil)
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

func TestFirstAllocatesNothingForAnOriginThatIsKnown(t *testing.T) {
	var s Set
	now := time.Unix(0, 0)
	n := uint64(0)
	next := func() { n++; id := originID(1, n); s.First(now, &id, nil); s.Has(&id) }
	for range 64 * windowMin {
		next()
	}
	if got := testing.AllocsPerRun(1000, next); got != 0 {
		t.Errorf("%v allocations per message", got)
	}
}
