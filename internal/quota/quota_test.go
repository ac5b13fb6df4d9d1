package quota

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// granted returns how many of n calls of Take at one time succeed.
func granted(b *Bucket, now time.Time, r Rate, n int) (count int) {
	for range n {
		if b.Take(now, r) {
			count++
		}
	}
	return count
}

func TestFullBucketGrantsABurst(t *testing.T) {
	var b Bucket
	if got := granted(&b, start, PerSecond(10), 100); got != 10 {
		t.Errorf("%d of 100 granted, want 10", got)
	}
}

func TestEmptyBucketGrantsOnceAfterEachInterval(t *testing.T) {
	var b Bucket
	r := Rate{Burst: 4, Every: 10 * time.Second}
	granted(&b, start, r, 4)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{9 * time.Second, 0}, {10 * time.Second, 1}, {10 * time.Second, 0}, {30 * time.Second, 2}, {time.Hour, 4}} {
		if got := granted(&b, start.Add(c.after), r, 10); got != c.want {
			t.Errorf("after %v: %d granted, want %d", c.after, got, c.want)
		}
	}
}

func TestRefusedTriesCostNothing(t *testing.T) {
	var b Bucket
	r := PerSecond(2)
	granted(&b, start, r, 1000)
	if got := granted(&b, start.Add(time.Second), r, 10); got != 2 {
		t.Errorf("%d granted after a second, want 2", got)
	}
}

func TestClockThatGoesBackAddsNoTokens(t *testing.T) {
	var b Bucket
	r := PerSecond(5)
	granted(&b, start, r, 5)
	if got := granted(&b, start.Add(-time.Hour), r, 5); got != 0 {
		t.Errorf("%d granted after the clock went back, want 0", got)
	}
	if got := granted(&b, start, r, 5); got != 0 {
		t.Errorf("%d granted after the clock was right again, want 0", got)
	}
}

func TestMapReplacesTheEntryThatWasLongestUnused(t *testing.T) {
	m := NewMap[string, int](3)
	for i, key := range []string{"a", "b", "c"} {
		m.Set(key, i)
	}
	m.Get("a")
	m.Set("d", 3)
	for _, c := range []struct {
		key  string
		want bool
	}{{"a", true}, {"b", false}, {"c", true}, {"d", true}} {
		if _, ok := m.Get(c.key); ok != c.want {
			t.Errorf("%s is there: %t, want %t", c.key, ok, c.want)
		}
	}
}

func TestMapNeverHoldsMoreThanItMay(t *testing.T) {
	m := NewMap[int, int](7)
	for i := range 1000 {
		if m.Set(i, i); m.Len() > 7 {
			t.Fatalf("%d entries", m.Len())
		}
	}
	m.Delete(999)
	if m.Len() != 6 {
		t.Errorf("%d entries after a Delete of one of 7", m.Len())
	}
}

func TestEmptyMapTakesEveryCall(t *testing.T) {
	m := NewMap[int, int](1)
	m.Delete(1)
	if _, ok := m.Get(1); ok || m.Len() != 0 {
		t.Error("an empty map has an entry")
	}
}

func TestMapWithoutRoomPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewMap[int, int](0)
}
