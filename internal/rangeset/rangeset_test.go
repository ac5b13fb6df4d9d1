package rangeset

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSetIsASetOfBytes(t *testing.T) {
	var s Set
	model := make([]bool, 64)
	rng := rand.New(rand.NewPCG(1, 0))
	for range 20_000 {
		from := uint32(rng.IntN(64))
		to := from + uint32(rng.IntN(64-int(from))) + 1
		if rng.IntN(2) == 0 {
			fresh := false
			for i := from; i < to; i++ {
				fresh = fresh || !model[i]
				model[i] = true
			}
			if got := s.Add(from, to); got != fresh {
				t.Fatalf("Add(%d, %d) = %v", from, to, got)
			}
		} else {
			clear(model[from:to])
			s.Remove(from, to)
		}
		check(t, s, model)
	}
}

// check compares a set with a model that has one bool per byte.
func check(t *testing.T, s Set, model []bool) {
	t.Helper()
	got := make([]bool, len(model))
	size := 0
	for i, r := range s {
		if r.Empty() || i > 0 && s[i-1].To >= r.From {
			t.Fatalf("not canonical: %v", s)
		}
		for k := r.From; k < r.To; k++ {
			got[k] = true
			size++
		}
	}
	if !slices.Equal(got, model) {
		t.Fatalf("%v has the bytes %v, want %v", s, got, model)
	}
	if s.Size() != uint32(size) {
		t.Fatalf("Size of %v is %d, want %d", s, s.Size(), size)
	}
	prefix := slices.Index(append(model, false), false)
	if s.Prefix() != uint32(prefix) {
		t.Fatalf("Prefix of %v is %d, want %d", s, s.Prefix(), prefix)
	}
}

func TestAddOfNothingIsNotNew(t *testing.T) {
	var s Set
	if s.Add(5, 5) {
		t.Error("an empty range was new")
	}
	if s.Add(7, 5) {
		t.Error("a range that ends before it begins was new")
	}
	if len(s) != 0 {
		t.Errorf("the set has %v", s)
	}
}

func TestFirstMissingIsWhatIsHereAndNotDone(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	for range 20_000 {
		var have, done Set
		for range rng.IntN(5) {
			a := uint32(rng.IntN(60))
			have.Add(a, a+1+uint32(rng.IntN(20)))
		}
		for range rng.IntN(5) {
			a := uint32(rng.IntN(60))
			done.Add(a, a+1+uint32(rng.IntN(20)))
		}
		var want Range
		for i := uint32(0); i < 100; i++ {
			if in := have.Covers(i, i+1) && !done.Covers(i, i+1); in && want.Empty() {
				want = Range{i, i + 1}
			} else if in && want.To == i {
				want.To++
			} else if !want.Empty() {
				break
			}
		}
		if got := have.FirstMissing(done); got != want && !(got.Empty() && want.Empty()) {
			t.Fatalf("%v without %v: %v, want %v", have, done, got, want)
		}
	}
}

func TestGapsAreWhatIsMissingBelowTheTotal(t *testing.T) {
	s := Set{{2, 4}, {6, 8}}
	for _, c := range []struct {
		name  string
		total uint32
		most  int
		want  []Range
	}{
		{"all", 10, 9, []Range{{0, 2}, {4, 6}, {8, 10}}},
		{"at most two", 10, 2, []Range{{0, 2}, {4, 6}}},
		{"complete at the end", 8, 9, []Range{{0, 2}, {4, 6}}},
		{"none wanted", 10, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []Range
			s.Gaps(c.total, c.most, func(from, to uint32) { got = append(got, Range{from, to}) })
			if !slices.Equal(got, c.want) {
				t.Errorf("gaps %v, want %v", got, c.want)
			}
		})
	}
	if !slices.Equal(s, Set{{2, 4}, {6, 8}}) {
		t.Errorf("the set became %v", s)
	}
}

func TestAfterFindsTheNextRange(t *testing.T) {
	s := Set{{0, 2}, {5, 8}}
	for _, c := range []struct{ at, want uint32 }{{0, 5}, {2, 5}, {4, 5}, {5, 20}, {9, 20}} {
		if got := s.After(c.at, 20); got != c.want {
			t.Errorf("After(%d) = %d, want %d", c.at, got, c.want)
		}
	}
}
