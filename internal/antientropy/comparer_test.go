package antientropy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestComparedTablesBecomeEqual(t *testing.T) {
	for _, x := range []struct {
		name string
		a, b []int
		most int // maximum number of entries sent in both directions
	}{
		{"both alone", nil, nil, 2},
		{"one knows nobody", seq(0, 300), nil, 302},
		{"the other knows nobody", nil, seq(0, 300), 302},
		{"nothing in common", seq(0, 100), seq(100, 200), 202},
		{"one member apart", seq(0, 1000), seq(0, 999), 100},
		{"some apart on either side", seq(0, 2000), append(seq(10, 2000), seq(3000, 3010)...), 1000},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t, x.a, x.b)
			w.a.begin()
			w.run(10 * time.Second)
			if !w.equal() || w.a.Count() != w.b.Count() {
				t.Fatalf("%d and %d members after %+v", w.a.Count(), w.b.Count(), w.sent)
			}
			if w.a.Active() || w.a.ended == 0 {
				t.Errorf("the comparison goes on, ended %d times", w.a.ended)
			}
			if w.sent.entries > x.most {
				t.Errorf("%d entries for this difference, want at most %d", w.sent.entries, x.most)
			}
		})
	}
}

func TestComparisonsGetThroughLoss(t *testing.T) {
	for _, loss := range []float64{0.1, 0.3, 0.5} {
		t.Run(fmt.Sprint(loss), func(t *testing.T) {
			w := newWorld(t, seq(0, 400), seq(300, 600))
			w.loss = loss
			for range 12 { // heartbeats that cause further comparisons
				w.a.heartbeat()
				w.run(3 * time.Second)
				w.b.heartbeat()
				w.run(3 * time.Second)
			}
			if !w.equal() {
				t.Errorf("%d and %d members", w.a.Count(), w.b.Count())
			}
		})
	}
}

// PROTOCOL.md Y2.
func TestBucketsFitTheLargerTable(t *testing.T) {
	for n, want := range map[int]uint8{0: 0, 7: 0, 8: 1, 16: 2, 31: 2, 32: 3, 1000: 7, 100_000: 14, 10_000_000: 14} {
		if got := bucketBits(n); got != want {
			t.Errorf("%d members: 2^%d buckets, want 2^%d", n, got, want)
		}
	}
	w := newWorld(t, nil, nil)
	w.a.count = 1000 // the count that the peer reported
	out := w.a.Begin(nil, w.now, &w.a.Peer, &w.a.Table, room)
	if out[0].Buckets.Bits != 7 {
		t.Errorf("2^%d buckets for a peer with 1000 members", out[0].Buckets.Bits)
	}
	w.a.count = math.MaxInt32
	if out = w.a.Begin(nil, w.now, &w.a.Peer, &w.a.Table, room); out[0].Buckets.Bits != bitsMax {
		t.Errorf("2^%d buckets for a peer that lies", out[0].Buckets.Bits)
	}
}

// A large table is sent in parts, of which at most two may be unanswered (PROTOCOL.md Y3).
func TestPartsGoOutAsTheyAreAnswered(t *testing.T) {
	w := newWorld(t, seq(0, 5000), nil)
	a := w.a
	out := a.Begin(nil, w.now, &a.Peer, &a.Table, room)
	next := uint32(0)
	total := uint32(1) << bucketBits(5001)
	for parts := 0; ; {
		for _, o := range out {
			if o.Kind != SendBuckets {
				continue
			}
			if o.Buckets.First != next {
				t.Fatalf("buckets from %d, want from %d", o.Buckets.First, next)
			}
			if n := o.Buckets.Len(); n > partBuckets || overhead+8*n > room {
				t.Fatalf("%d buckets in one part", n)
			}
			next += uint32(o.Buckets.Len())
			parts++
		}
		if parts > flightMax || !a.Waiting() {
			t.Fatalf("%d parts without an answer", parts)
		}
		if next == total {
			break
		}
		parts--
		out, _ = a.HandleRoot(nil, w.now, &a.Peer, &a.Table, wire.SyncRoot{Root: 1, Count: 6000, Salt: 5}, room)
	}
	if root, salt := a.LastRoot(); root != 1 || salt != 5 {
		t.Errorf("last root %d, salt %d", root, salt)
	}
}

func TestPartsFitSmallPaths(t *testing.T) {
	w := newWorld(t, seq(0, 5000), nil)
	for _, o := range w.a.Begin(nil, w.now, &w.a.Peer, &w.a.Table, 300) {
		if o.Kind == SendBuckets && len(encode(o.Buckets)) > 300 {
			t.Errorf("a message of %d bytes where 300 fit", len(encode(o.Buckets)))
		}
	}
}

// PROTOCOL.md Y6.
func TestUnansweredRoundsAreRepeatedLaterAndLater(t *testing.T) {
	w := newWorld(t, seq(0, 10), nil)
	w.loss = 1
	w.a.begin()
	var waits []time.Duration
	for range 4 {
		last := w.now
		w.now = w.a.NextTimeout()
		if !w.a.wake.Equal(w.now) {
			t.Errorf("asked to be called at %v, NextTimeout says %v", w.a.wake, w.now)
		}
		waits = append(waits, w.now.Sub(last))
		w.a.tick(false)
	}
	if got := fmt.Sprint(waits); got != "[250ms 500ms 1s 2s]" {
		t.Errorf("%v", got)
	}
	if w.a.Active() || w.a.ended != 1 {
		t.Errorf("after %d rounds that changed nothing: active %t, ended %d times", rounds, w.a.Active(), w.a.ended)
	}
	if next := w.a.NextTimeout(); !next.IsZero() {
		t.Errorf("it wants to be called at %v", next)
	}
}

func TestLostPartIsNotWaitedForForever(t *testing.T) {
	w := newWorld(t, seq(0, 5000), nil)
	w.loss = 1
	w.a.begin()
	w.now = w.a.NextTimeout()
	before := w.a.round.next
	if w.a.tick(false); w.a.round.next <= before || w.a.round.rounds != 1 {
		t.Errorf("next bucket %d after %d, round %d", w.a.round.next, before, w.a.round.rounds)
	}
}

// New members arrive all the time: every round changes something, but the rounds end (PROTOCOL.md Y6).
func TestRoundsEndHoweverMuchTheyChange(t *testing.T) {
	w := newWorld(t, seq(0, 10), nil)
	w.loss = 1
	w.a.begin()
	for i := 0; w.a.Active(); i++ {
		if i > roundsMax {
			t.Fatal("the comparison does not end")
		}
		w.a.learn(100 + i)
		w.now = w.a.NextTimeout()
		w.a.tick(false)
	}
}

func TestJoinThatHeardNothingIntroducesItselfAgain(t *testing.T) {
	w := newWorld(t, nil, seq(0, 10))
	w.loss = 1
	w.a.begin()
	selves := 0
	for range 12 {
		w.now = w.a.NextTimeout()
		out, ended := w.a.Tick(nil, w.now, &w.a.Peer, &w.a.Table, room, true)
		if ended {
			t.Fatal("it gave up")
		}
		for _, o := range out {
			if o.Kind == SendSelf {
				selves++
			}
		}
	}
	if selves != 3 {
		t.Errorf("introduced itself %d times in 12 rounds, want 3", selves)
	}
	w.loss = 0
	w.now = w.a.NextTimeout()
	w.a.tick(true)
	if w.run(time.Second); !w.equal() {
		t.Error("tables differ")
	}
}

func TestTickBeforeItsTimeDoesNothing(t *testing.T) {
	w := newWorld(t, seq(0, 10), nil)
	if out, ended := w.a.Tick(nil, w.now, &w.a.Peer, &w.a.Table, room, false); out != nil || ended {
		t.Errorf("%v without a comparison", out)
	}
	w.loss = 1
	w.a.begin()
	if out, ended := w.a.Tick(nil, w.now, &w.a.Peer, &w.a.Table, room, false); out != nil || ended {
		t.Errorf("%v at once", out)
	}
	if w.a.End(); w.a.Active() || w.a.Waiting() {
		t.Error("it goes on after End")
	}
}

func TestHeartbeatsComeWhenTheTableHasBeenCalm(t *testing.T) {
	c := New(rand.New(rand.NewPCG(1, 2)))
	for range 100 {
		if d := c.HeartbeatsAt(start).Sub(start); d < calm || d >= 2*calm {
			t.Fatalf("after %v", d)
		}
	}
}

// This tests whole comparisons, with random tables that refuse random members.
func TestRandomTablesBecomeEqualOrTheComparisonEnds(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var a, b []int
		for i := range 1 + rng.IntN(500) {
			if k := rng.IntN(4); k > 0 {
				a = append(a, i)
			} else if k < 3 {
				b = append(b, i)
			}
		}
		w := newWorld(t, a, b)
		w.loss = rng.Float64() / 4
		out := id(rng.IntN(500))
		if seed%3 == 0 {
			w.a.keeps = func(i wire.NodeID) bool { return i == out }
			w.a.forget(out)
		}
		for range 10 {
			w.a.heartbeat()
			w.run(5 * time.Second)
		}
		if w.a.Active() || w.b.Active() {
			t.Errorf("seed %d: a comparison goes on", seed)
		}
		if seed%3 != 0 && !w.equal() {
			t.Errorf("seed %d: %d and %d members", seed, w.a.Count(), w.b.Count())
		}
	}
}

// forget removes a member that may be unknown.
func (n *node) forget(i wire.NodeID) {
	if m := n.Get(i); m != nil {
		n.Forget(m)
	}
}
