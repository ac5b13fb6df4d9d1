package session

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const horizon = time.Second

// put puts the counter as its own value, and fails the test unless exactly want is evicted; 0 means none.
func put(t *testing.T, l *SentLog[uint64], counter uint64, at time.Time, want uint64) {
	t.Helper()
	if evicted, ok := l.Put(counter, at, int(counter%1400), counter); evicted != want || ok != (want > 0) {
		t.Fatalf("for %d gave way %d (%v), want %d", counter, evicted, ok, want)
	}
}

// keeps fails the test unless the log contains a packet number as put recorded it.
func keeps(t *testing.T, l *SentLog[uint64], counter uint64, at time.Time) {
	t.Helper()
	v, when, bytes, ok := l.Get(counter)
	switch {
	case !ok:
		t.Fatalf("for %d: ok is false", counter)
	case *v != counter:
		t.Fatalf("for %d: *v is %v, want %v", counter, *v, counter)
	case !when.Equal(at):
		t.Fatalf("for %d: when is %v, want %v", counter, when, at)
	case bytes != int(counter%1400):
		t.Fatalf("for %d: bytes is %v, want %v", counter, bytes, int(counter%1400))
	}
}

// lacks fails the test unless the log contains none of the packet numbers.
func lacks(t *testing.T, l *SentLog[uint64], counters ...uint64) {
	t.Helper()
	for _, c := range counters {
		switch v, at, bytes, ok := l.Get(c); {
		case v != nil:
			t.Fatalf("for %d: the value is %v, want nil", c, v)
		case !at.IsZero():
			t.Fatalf("for %d: the time is %v, want zero", c, at)
		case bytes != 0:
			t.Fatalf("for %d: bytes is %v, want 0", c, bytes)
		case ok:
			t.Fatalf("for %d: ok is true", c)
		}
	}
}

func TestSentLogGivesBackWhatWasPutAndNothingForHoles(t *testing.T) {
	l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
	lacks(t, l, 0, 1)
	for _, c := range []uint64{3, 4, 7, 1 << 32, 1<<63 + 1} {
		put(t, l, c, epoch.Add(time.Duration(c%8)), 0)
	}
	for _, c := range []uint64{3, 4, 7, 1 << 32, 1<<63 + 1} {
		keeps(t, l, c, epoch.Add(time.Duration(c%8)))
	}
	lacks(t, l, 0, 2, 5, 6, 8, 1<<32+1, 1<<64-1)
	if l.Len() != 5 {
		t.Errorf("%d kept", l.Len())
	}
}

func TestSentLogValueMayBeChangedInPlace(t *testing.T) {
	l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
	put(t, l, 1, epoch, 0)
	v, _, _, _ := l.Get(1)
	*v = 99
	l.DropBefore(epoch.Add(1), 0, func(v uint64) {
		if v != 99 {
			t.Errorf("dropped %d", v)
		}
	})
}

func TestSentLogRefusesCountersThatDoNotAscend(t *testing.T) {
	l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
	put(t, l, 7, epoch, 0)
	put(t, l, 7, epoch, 7)
	put(t, l, 6, epoch, 6)
	keeps(t, l, 7, epoch)
	lacks(t, l, 6)
}

func TestSentLogGrowsWhileItsOldestIsYoung(t *testing.T) {
	l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
	c := uint64(1)
	for ; c <= maxSentLog; c++ {
		put(t, l, c, epoch.Add(horizon-1), 0)
	}
	for ; c <= 2*maxSentLog; c++ {
		put(t, l, c, epoch.Add(horizon-1), c-maxSentLog)
	}
	for k := c - maxSentLog; k < c; k++ {
		keeps(t, l, k, epoch.Add(horizon-1))
	}
	lacks(t, l, c, c-maxSentLog-1)
}

func TestSentLogDoesNotGrowWhenItsOldestIsOld(t *testing.T) {
	l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
	at := func(c uint64) time.Time { return epoch.Add(time.Duration(c) * horizon / 100) } // a hundred within the horizon
	for c := uint64(1); c <= 10_000; c++ {
		put(t, l, c, at(c), c-min(c, 128))
		for k := c - min(c, 128) + 1; k <= c; k += 13 {
			keeps(t, l, k, at(k))
		}
	}
	if len(l.ring) != 128 {
		t.Errorf("room for %d", len(l.ring))
	}
}

func TestSentLogGrowsUpToTheHorizonAndNotAtIt(t *testing.T) {
	for age, want := range map[time.Duration]uint64{horizon - 1: 0, horizon: 1} {
		l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
		for c := uint64(1); c <= firstSentLog; c++ {
			put(t, l, c, epoch, 0)
		}
		put(t, l, firstSentLog+1, epoch.Add(age), want)
	}
}

func TestSentLogKeepsItsFirstRoomWhenItIsEmpty(t *testing.T) {
	l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
	c := uint64(1)
	step := func() {
		put(t, l, c, epoch.Add(time.Duration(c)), 0)
		c++
		l.DropBefore(epoch.Add(time.Duration(c)), 0, func(uint64) {})
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSentLogDropsWhatIsOlder(t *testing.T) {
	l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
	var dropped []uint64
	drop := func(v uint64) { dropped = append(dropped, v) }
	l.DropBefore(epoch, 0, drop)
	for c := range uint64(100) {
		put(t, l, 2*c+1, epoch.Add(time.Duration(c)), 0)
	}
	l.DropBefore(epoch, 0, drop)
	if len(dropped) > 0 {
		t.Fatalf("dropped %v", dropped)
	}
	l.DropBefore(epoch.Add(3), 0, drop)
	if !slices.Equal(dropped, []uint64{1, 3, 5}) {
		t.Fatalf("dropped %v", dropped)
	}
	lacks(t, l, 1, 3, 5)
	keeps(t, l, 7, epoch.Add(3))
	l.DropBefore(epoch.Add(time.Hour), 0, drop)
	if len(dropped) != 100 || l.Len() != 0 {
		t.Errorf("%d dropped, %d kept", len(dropped), l.Len())
	}
	if l.ring != nil {
		t.Error("an empty log keeps the room it has grown by")
	}
	put(t, l, 201, epoch.Add(2*time.Hour), 0)
	keeps(t, l, 201, epoch.Add(2*time.Hour))
}

func TestSentLogForgottenValuesAreNotHeld(t *testing.T) {
	l := NewSentLog[*int](horizon, &Room{Max: 1 << 30})
	for c := uint64(1); c <= 40; c++ {
		l.Put(c, epoch.Add(time.Duration(c)), 1, new(int))
	}
	l.DropBefore(epoch.Add(40), 0, func(*int) {})
	held := 0
	for _, e := range l.ring {
		if e.v != nil {
			held++
		}
	}
	if held != 1 {
		t.Errorf("%d values held", held)
	}
}

func TestSentLogKeepsWhatASimpleListKeeps(t *testing.T) {
	rng := rand.New(random(3))
	type entry struct {
		counter uint64
		at      time.Time
	}
	for range 10 {
		l := NewSentLog[uint64](horizon, &Room{Max: 1 << 30})
		var list []entry
		room, c, now := firstSentLog, rng.Uint64N(1<<33), epoch
		step := time.Duration(rng.Int64N(int64(horizon / 50)))
		for range 3000 {
			c += 1 + rng.Uint64N(3)*rng.Uint64N(2)
			now = now.Add(time.Duration(rng.Int64N(int64(step) + 1)))
			want := uint64(0)
			if len(list) == room {
				if now.Sub(list[0].at) < horizon {
					room *= 2
				} else {
					want = list[0].counter
					list = list[1:]
				}
			}
			put(t, l, c, now, want)
			list = append(list, entry{c, now})
			if rng.IntN(200) == 0 {
				before := now.Add(-time.Duration(rng.Int64N(int64(horizon))))
				l.DropBefore(before, 0, func(v uint64) {
					switch {
					case len(list) == 0:
						t.Fatalf("len(list) is %d, want anything but 0: %v", len(list), list)
					case v != list[0].counter:
						t.Fatalf("the value is %v, want %v", v, list[0].counter)
					case !list[0].at.Before(before):
						t.Fatal("the oldest packet was not sent earlier")
					}
					list = list[1:]
				})
				if len(list) > 0 && list[0].at.Before(before) {
					t.Fatalf("kept %v", list[0])
				}
				if 4*len(list) <= room {
					for room = firstSentLog; room < 2*len(list); {
						room *= 2
					}
				}
				if l.n > 0 && len(l.ring) != room {
					t.Fatalf("room for %d datagrams is kept for %d, want %d", len(l.ring), len(list), room)
				}
			}
			if len(list) == 0 {
				continue
			}
			e := list[rng.IntN(len(list))]
			keeps(t, l, e.counter, e.at)
			if !slices.ContainsFunc(list, func(o entry) bool { return o.counter == e.counter+1 }) {
				lacks(t, l, e.counter+1)
			}
			lacks(t, l, list[0].counter-1, c+1)
		}
		if l.Len() != len(list) {
			t.Fatalf("%d kept, want %d", l.Len(), len(list))
		}
	}
}

func TestSentLogDoesNotAllocateInSteadyState(t *testing.T) {
	l := NewSentLog[*int](horizon, &Room{Max: 1 << 30})
	c, now, v := uint64(0), epoch, new(int)
	step := func() {
		c++
		now = now.Add(horizon / 1000)
		l.Put(c, now, 1400, v)
		l.Get(c - min(c, 100))
		l.DropBefore(now.Add(-horizon/2), 0, func(*int) {})
	}
	for range 5000 {
		step()
	}
	if n := testing.AllocsPerRun(5000, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSentLogSparesTheNewest(t *testing.T) {
	l := NewSentLog[uint64](time.Hour, &Room{Max: 1 << 30})
	for c := range uint64(100) {
		l.Put(c+1, epoch.Add(time.Duration(c)), 1, c+1)
	}
	l.DropBefore(epoch.Add(time.Hour), 16, func(uint64) {})
	if l.Len() != 16 {
		t.Fatalf("%d datagrams are kept, want 16", l.Len())
	}
	if v, _, _, ok := l.Get(85); !ok || *v != 85 {
		t.Error("the sixteenth from the end is not kept")
	}
}

func TestShrunkSentLogKeepsWhatItHas(t *testing.T) {
	l := NewSentLog[uint64](time.Hour, &Room{Max: 1 << 30})
	for c := range uint64(1000) {
		l.Put(c+1, epoch.Add(time.Duration(c)), 1, c+1)
	}
	l.DropBefore(epoch.Add(time.Hour), 9, func(uint64) {})
	if len(l.ring) != 32 {
		t.Errorf("room for %d datagrams is kept for 9, want 32", len(l.ring))
	}
	for c := uint64(992); c <= 1000; c++ {
		switch v, at, _, ok := l.Get(c); {
		case !ok:
			t.Error("ok is false")
		case *v != c:
			t.Errorf("*v is %v, want %v", *v, c)
		case !at.Equal(epoch.Add(time.Duration(c - 1))):
			t.Errorf("the time is %v, want %v", at, epoch.Add(time.Duration(c-1)))
		}
	}
	if l.Put(1001, epoch.Add(1001), 1, 1001); l.Len() != 10 {
		t.Errorf("%d datagrams are kept after one more, want 10", l.Len())
	}
}
