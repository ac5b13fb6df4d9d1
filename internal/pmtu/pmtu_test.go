package pmtu

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var begin = time.Unix(1000, 0)

const rtt = 10 * time.Millisecond

// world is a Path, its network and the results.
type world struct {
	Path
	now     time.Time
	carries int // size of the largest datagram that arrives, in bytes
	probes  []int
	givenUp []int
	found   []int
}

func newWorld(cfg Config, carries int) *world {
	return &world{Path: New(&cfg, false), now: begin, carries: carries}
}

// linked returns the world of a link that searches up to Probed.
func linked(size, carries int) *world {
	w := newWorld(Config{Size: size, Max: Probed}, carries)
	w.LinkUp(w.now, rand.New(rand.NewPCG(1, 1)))
	return w
}

// run advances time by d. Probes that fit arrive and are answered after a round trip.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		next := w.Due(w.now)
		if next.IsZero() || next.After(end) {
			w.now = end
			return
		}
		w.now = next
		a := w.Tick(w.now, rtt)
		w.note()
		if a.GivenUp != 0 {
			w.givenUp = append(w.givenUp, a.GivenUp)
		}
		if a.Probe == 0 {
			continue
		}
		w.probes = append(w.probes, a.Probe)
		w.ProbeSent(a.Probe)
		if a.Probe <= w.carries {
			w.now = w.now.Add(rtt)
			w.Answered(w.now, a.Seq)
			w.note()
		}
	}
}

func (w *world) note() {
	if size, ok := w.Found(); ok {
		w.found = append(w.found, size)
	}
}

// want checks the size in use.
func (w *world) want(t *testing.T, size int) {
	t.Helper()
	if w.Size() != size {
		t.Errorf("datagrams of %d bytes, want %d; probed %v", w.Size(), size, w.probes)
	}
}

func (w *world) wantUsable(t *testing.T, size int) {
	t.Helper()
	if w.Usable() != size {
		t.Errorf("datagrams of up to %d bytes may be sent, want %d", w.Usable(), size)
	}
}

// wantList checks the sizes that were probed, given up or found.
func wantList(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// PROTOCOL.md Z2.
func TestSearchFindsTheLargestSizeThatPasses(t *testing.T) {
	for _, x := range []struct{ carries, want int }{
		{Max, Probed}, {8952, 8952}, {8940, 4322}, {1472, 1472}, {1460, 1452}, {1400, 1400}, {1300, Min}, {1200, Min},
	} {
		t.Run(fmt.Sprint(x.carries), func(t *testing.T) {
			w := linked(1400, x.carries)
			w.run(10 * time.Second)
			w.want(t, x.want)
			w.wantUsable(t, x.want)
		})
	}
}

// PROTOCOL.md Z2.
func TestConfiguredSizeIsProbedFirstAndEachSizeThreeTimes(t *testing.T) {
	w := linked(1400, 1472)
	w.run(10 * time.Second)
	wantList(t, "probes", w.probes, 1400, 8952, 8952, 8952, 4322, 4322, 4322, 2272, 2272, 2272, 1472)
	wantList(t, "found", w.found, 1472)
}

func TestConfiguredSizeIsNoNews(t *testing.T) {
	w := linked(1400, 1400)
	w.run(time.Minute)
	wantList(t, "found", w.found)
}

func TestSearchIsRepeatedEveryTenMinutes(t *testing.T) {
	w := linked(1400, 1472)
	w.run(10 * time.Second)
	w.carries = Max
	w.run(9 * time.Minute)
	w.want(t, 1472)
	w.run(2 * time.Minute)
	w.want(t, Probed)
	wantList(t, "found", w.found, 1472, Probed)
}

func TestNothingIsProbedWithoutALinkAndWithoutNeed(t *testing.T) {
	for _, x := range []struct {
		name string
		w    *world
	}{
		{"no link", newWorld(Config{Size: 1400, Max: Probed}, Max)},
		{"a transport that cannot measure", func() *world {
			w := newWorld(Config{Size: 1400}, Max)
			w.LinkUp(w.now, rand.New(rand.NewPCG(1, 1)))
			return w
		}()},
		{"a link that ended", func() *world {
			w := linked(1400, Max)
			w.LinkDown()
			return w
		}()},
	} {
		t.Run(x.name, func(t *testing.T) {
			x.w.run(time.Hour)
			wantList(t, "probes", x.w.probes)
			x.w.want(t, Min)
		})
	}
}

func TestFixedPathIsNeverProbed(t *testing.T) {
	w := &world{Path: New(&Config{Size: 1400, Max: Probed}, true), now: begin, carries: Max}
	w.LinkUp(w.now, rand.New(rand.NewPCG(1, 1)))
	if w.Widen(w.now) {
		t.Error("widened")
	}
	w.run(time.Hour)
	wantList(t, "probes", w.probes)
}

// PROTOCOL.md Z1.
func TestWidenFindsTheConfiguredSizeAndNoMore(t *testing.T) {
	w := newWorld(Config{Size: 1400}, Max)
	if !w.Widen(w.now) {
		t.Fatal("not begun")
	}
	if w.Widen(w.now) {
		t.Error("begun twice")
	}
	w.run(time.Minute)
	w.want(t, 1400)
	if w.Widen(w.now) {
		t.Error("the configured size is in use, and something larger is probed")
	}
	wantList(t, "probes", w.probes, 1400)
}

func TestWidenThatFailedIsNotTriedAgainForAMinute(t *testing.T) {
	w := newWorld(Config{Size: 1400}, 1300)
	w.Widen(w.now)
	w.run(30 * time.Second)
	w.want(t, Min)
	if w.Widen(w.now) {
		t.Error("tried again after half a minute")
	}
	w.run(31 * time.Second)
	if !w.Widen(w.now) {
		t.Error("not tried again after a minute")
	}
}

// PROTOCOL.md P10.
func TestPeerIsSentNoMoreThanItTakes(t *testing.T) {
	w := linked(1400, Max)
	w.SetPeerMax(2000)
	w.run(time.Hour)
	w.want(t, 1472)
	for _, size := range w.probes {
		if size > 2000 {
			t.Errorf("probed %d bytes", size)
		}
	}
	w.SetPeerMax(10) // less than any node may accept
	w.wantUsable(t, Min)
}

// PROTOCOL.md Z3.
func TestBlackHoleIsFoundAndLeft(t *testing.T) {
	w := linked(1400, Max)
	w.run(10 * time.Second)
	w.want(t, Probed)
	w.carries, w.probes, w.found = 1300, nil, nil
	w.run(time.Minute)
	w.Lost(w.now, 5000)
	w.wantUsable(t, Min)
	w.run(10 * time.Second)
	wantList(t, "given up", w.givenUp, Probed, 1400)
	wantList(t, "probes", w.probes, 8952, 8952, 8952, 8952, 1400, 1400, 1400, 1400)
	w.want(t, Min)
	w.carries = 1472
	w.run(2 * time.Minute)
	w.want(t, 1472)
	wantList(t, "found", w.found, 1472)
}

func TestChanceLossesDoNotMakeAPathNarrower(t *testing.T) {
	w := linked(1400, Max)
	w.run(10 * time.Second)
	w.probes = nil
	w.Arrived(w.now, 8900)
	for range 100 {
		for range lostMax - 1 {
			w.Lost(w.now, 8900)
		}
		w.Arrived(w.now, 8900)
		w.run(10 * time.Millisecond)
	}
	wantList(t, "probes", w.probes)
	w.wantUsable(t, Probed)
}

func TestManyLossesInARowAreProbedAndAnAnswerEndsIt(t *testing.T) {
	w := linked(1400, Max)
	w.run(10 * time.Second)
	w.Arrived(w.now, Probed)
	for range lostMax {
		w.Lost(w.now, Probed)
	}
	w.wantUsable(t, Min)
	w.run(time.Second)
	w.wantUsable(t, Probed)
	wantList(t, "given up", w.givenUp)
}

func TestLossOfSmallDatagramsSaysNothing(t *testing.T) {
	w := linked(1400, Max)
	w.run(10 * time.Second)
	for range 100 {
		w.Lost(w.now, Min)
	}
	w.wantUsable(t, Probed)
}

func TestDatagramIsRiskyUntilOneAsLargeArrived(t *testing.T) {
	w := linked(1400, Max)
	w.run(10 * time.Second) // more than a second ago
	for _, x := range []struct {
		name string
		do   func()
		size int
		want bool
	}{
		{"small", func() {}, Min, false},
		{"nothing arrived lately", func() {}, 1300, true},
		{"a smaller one arrived", func() { w.Arrived(w.now, 1250) }, 1300, true},
		{"a larger one arrived", func() { w.Arrived(w.now, 1400) }, 1300, false},
		{"one was lost since", func() { w.Lost(w.now, 1400) }, 1300, true},
		{"another arrived", func() { w.Arrived(w.now, 1400) }, 1300, false},
		{"that is long ago", func() { w.now = w.now.Add(recent + 1) }, 1300, true},
	} {
		if x.do(); w.Risky(w.now, x.size) != x.want {
			t.Errorf("%s: risky is %v, want %v", x.name, !x.want, x.want)
		}
	}
}

func TestRefusedProbeTriesTheNextSize(t *testing.T) {
	w := linked(1400, 1400)
	w.run(2500 * time.Millisecond)
	if !w.ProbesWhole() {
		t.Fatalf("not probing; probed %v", w.probes)
	}
	w.probes = nil
	if w.Refused(w.now, Probed) {
		t.Error("a probe counts as a datagram of the size in use")
	}
	w.run(0)
	wantList(t, "probes", w.probes, 4322)
}

// PROTOCOL.md Z3.
func TestRefusedSizeIsGivenUpAtOnce(t *testing.T) {
	w := linked(1400, Max)
	w.run(10 * time.Second)
	w.carries = 0
	if !w.Refused(w.now, 8000) {
		t.Error("not a datagram of the size in use")
	}
	w.run(0)
	wantList(t, "given up", w.givenUp, Probed)
	w.want(t, 1400)
	w.wantUsable(t, Min)
	w.carries = 1400
	w.run(time.Second)
	w.wantUsable(t, 1400)
}

func TestOnlyTheAnswerToTheLastProbeCounts(t *testing.T) {
	w := linked(1400, 0)
	w.run(1500 * time.Millisecond)
	var a Actions
	for a.Probe == 0 {
		w.now = w.NextTimeout()
		a = w.Tick(w.now, rtt)
	}
	for _, x := range []struct {
		name string
		seq  uint64
		sent int
		want bool // whether it is accepted as an answer
	}{
		{"a Ping that is no probe", 5, 1400, false},
		{"an older probe", a.Seq - 1, 1400, false},
		{"a probe that was never sent", a.Seq, 0, true},
	} {
		w.ProbeSent(x.sent)
		if got := w.Answered(w.now, x.seq); got != x.want {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
		w.want(t, Min)
	}
	w.ProbeSent(a.Probe)
	if !w.Answered(w.now, a.Seq) {
		t.Error("the last probe: not taken for an answer")
	}
	w.want(t, a.Probe)
	if w.Answered(w.now, a.Seq) {
		t.Error("answered twice")
	}
}

// PROTOCOL.md Z5.
func TestMovedPathBeginsAnewWithOtherSequenceNumbers(t *testing.T) {
	w := linked(1400, Max)
	w.run(10 * time.Second)
	seq := w.seq
	w.Moved(w.now)
	w.want(t, Min)
	w.carries = 1400
	w.run(10 * time.Second)
	w.want(t, 1400)
	if w.seq <= seq {
		t.Errorf("sequence number %#x after %#x", w.seq, seq)
	}
}

// For any behavior of peer and network, the sizes stay within their bounds and no timeout stays in the past.
func TestRandomInputsKeepTheBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		w := linked(Min+rng.IntN(400), Min+rng.IntN(9000))
		w.SetPeerMax(Min + rng.IntN(9000))
		for range 200 {
			size := rng.IntN(10_000)
			switch rng.IntN(9) {
			case 0:
				w.Lost(w.now, size)
			case 1:
				w.Arrived(w.now, size)
			case 2:
				w.Refused(w.now, size)
			case 3:
				w.Widen(w.now)
			case 4:
				w.Answered(w.now, SeqBit|uint64(rng.IntN(20)))
			case 5:
				w.carries = Min + rng.IntN(9000)
			case 6:
				w.LinkDown()
			case 7:
				w.LinkUp(w.now, rng)
			default:
				w.run(time.Duration(rng.Int64N(int64(3 * time.Second))))
			}
			if w.Usable() < Min || w.Usable() > w.peerMax {
				t.Fatalf("datagrams of up to %d bytes, the peer takes %d", w.Usable(), w.peerMax)
			}
		}
		w.run(0)
		if next := w.NextTimeout(); !next.IsZero() && !next.After(w.now) {
			t.Fatalf("a timeout stays in the past: %v", next)
		}
	}
}

func TestPathIsNarrowOnceTheConfiguredSizeHasFailed(t *testing.T) {
	for _, c := range []struct {
		carries int
		want    bool
	}{{1200, true}, {1400, false}} {
		w := linked(1400, c.carries)
		if w.Narrow() {
			t.Error("narrow before anything was probed")
		}
		w.run(time.Minute)
		if w.Narrow() != c.want {
			t.Errorf("a path that carries %d bytes: narrow is %v", c.carries, !c.want)
		}
	}
}
