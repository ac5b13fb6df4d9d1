package arena

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// stored is the content of one Put.
type stored struct {
	Ref
	b  []byte
	at time.Time
}

// check reports bytes that changed, and young bytes that are gone.
func (s *stored) check(t *testing.T, a *Arena, now time.Time) {
	t.Helper()
	got := a.Get(s.Ref)
	if got != nil && !bytes.Equal(got, s.b) {
		t.Fatalf("%d bytes put %v ago came back changed", s.Size, now.Sub(s.at))
	}
	young := now.Sub(s.at) < keep
	if room := a.head-s.Off < Max && len(a.buf) < Max; got == nil && young && room {
		t.Fatalf("%d bytes put %v ago are gone from an arena of %d", s.Size, now.Sub(s.at), len(a.buf))
	}
}

// The rate varies between nothing for seconds and megabytes in a moment.
func TestArenaGivesBackWhatWasPutOrNothingAndForgetsNothingYoung(t *testing.T) {
	var a Arena
	var all []stored
	rng := rand.New(rand.NewPCG(3, 0))
	now := time.Unix(0, 0)
	pace := 0
	for i := range 60_000 {
		if i%500 == 0 {
			pace = []int{1, 20_000, 2_000_000, 40_000_000}[rng.IntN(4)]
			now = now.Add(time.Duration(rng.Int64N(int64(3 * time.Second))))
			a.Rest(now)
		}
		b := bytes.Repeat([]byte{byte(i), byte(i >> 8), 1}, 1+rng.IntN(200))
		now = now.Add(time.Duration(rng.IntN(pace)))
		all = append(all, stored{a.Put(now, b), b, now})
		for _, back := range []int{rng.IntN(20), rng.IntN(4000)} {
			all[max(0, len(all)-1-back)].check(t, &a, now)
		}
	}
	if len(a.buf) > Max {
		t.Errorf("grew to %d", len(a.buf))
	}
}

// The puts vary in size and are spread randomly over time.
func TestArenaKeepsWhatIsYoungAndReturnsNothingElse(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var a Arena
		var all []stored
		now := time.Unix(1000, 0)
		for i := range 3000 {
			switch rng.IntN(300) {
			case 0:
				now = now.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
			case 1:
				a.Rest(now)
			default:
				now = now.Add(time.Duration(rng.IntN(300)) * time.Microsecond)
			}
			b := make([]byte, 1+rng.IntN(600))
			if rng.IntN(100) == 0 {
				b = make([]byte, 1+rng.IntN(MessageMax))
			}
			for k := range b {
				b[k] = byte(i) ^ byte(k)
			}
			all = append(all, stored{a.Put(now, b), b, now})
			for k := max(0, len(all)-40); k < len(all); k++ {
				all[k].check(t, &a, now)
			}
			if i%100 == 0 {
				for k := range all {
					if got := a.Get(all[k].Ref); got != nil && !bytes.Equal(got, all[k].b) {
						t.Fatalf("seed %d: entry %d came back changed", seed, k)
					}
				}
			}
		}
	}
}

func TestArenaTakesWhatIsLargerThanItself(t *testing.T) {
	var a Arena
	small, large := []byte("small"), bytes.Repeat([]byte{7}, MessageMax)
	first := a.Put(time.Unix(0, 0), small)
	second := a.Put(time.Unix(60, 0), large)
	if !bytes.Equal(a.Get(second), large) {
		t.Error("the large one is not there")
	}
	if got := a.Get(first); got != nil && !bytes.Equal(got, small) {
		t.Error("the small one became another")
	}
	if r := a.Put(time.Unix(60, 0), append(large, 0)); !r.IsZero() {
		t.Errorf("took more than it says: %v", r)
	}
	if a.Get(Ref{}) != nil {
		t.Error("the zero Ref names something")
	}
}

func TestUnusedArenaIsGivenBackAndTakesNoOldOffsetForANewOne(t *testing.T) {
	var a Arena
	now := time.Unix(0, 0)
	var old []Ref
	for range 10_000 {
		old = append(old, a.Put(now, make([]byte, 100)))
	}
	if a.Rest(now.Add(unused - 1)) {
		t.Fatal("given back too soon")
	}
	if !a.Rest(now.Add(unused)) {
		t.Fatal("kept")
	}
	now = now.Add(time.Minute)
	for range 100_000 {
		r := a.Put(now, make([]byte, 100))
		if a.Get(r) == nil {
			t.Fatal("a new Ref names nothing")
		}
		if a.Get(old[0]) != nil || a.Get(old[len(old)-1]) != nil {
			t.Fatal("an old Ref names something")
		}
	}
}

func TestArenaKeepsForAsLongAsItIsConfigured(t *testing.T) {
	a := New(Config{Keep: 20 * time.Second, Unused: time.Minute})
	now := time.Unix(0, 0)
	first := a.Put(now, make([]byte, 100))
	for range 19 {
		now = now.Add(time.Second)
		a.Put(now, make([]byte, minSize/2))
	}
	if a.Get(first) == nil {
		t.Error("gone before its time")
	}
	if a.Rest(now.Add(time.Minute - 1)) {
		t.Error("given back before its time")
	}
	if !a.Rest(now.Add(time.Minute)) {
		t.Error("kept beyond its time")
	}
}

func TestArenaKeepsWhatAPeerIsBehindWith(t *testing.T) {
	const hold = 1 << 20
	a := New(Config{Hold: hold})
	a.Await()
	a.Await()
	a.Release() // another peer still has a queue
	now := time.Unix(0, 0)
	first := a.Put(now, make([]byte, 1000))
	for range hold/2/1000 - 10 {
		now = now.Add(time.Second)
		a.Put(now, make([]byte, 1000))
	}
	if a.Get(first) == nil {
		t.Error("the first message is gone although a peer is behind")
	}
	if a.Rest(now.Add(unused)) {
		t.Error("given back although a peer is behind")
	}
	a.Release()
	if !a.Rest(now.Add(unused)) {
		t.Error("kept for nobody")
	}
}

func TestNeighborsAreTogetherUnlessTheRingEndsBetweenThem(t *testing.T) {
	var a Arena
	now := time.Unix(0, 0)
	together, apart := 0, 0
	for range 10_000 {
		x := a.Put(now, make([]byte, 100))
		y := a.Put(now, make([]byte, 1000))
		if y.Off == x.End() && a.Together(x, y) {
			if got := a.Get(Ref{x.Off, 1100}); len(got) != 1100 {
				t.Fatalf("%d bytes at %d", len(got), x.Off)
			}
			together++
		} else {
			apart++
		}
		now = now.Add(10 * time.Millisecond)
	}
	if together == 0 || apart == 0 {
		t.Errorf("%d pairs together, %d apart: the test shows nothing", together, apart)
	}
}

func BenchmarkPut(b *testing.B) {
	var a Arena
	now := time.Unix(0, 0)
	msg := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		a.Get(a.Put(now, msg))
	}
}
