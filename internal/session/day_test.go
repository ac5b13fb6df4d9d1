package session

import (
	"fmt"
	"testing"
	"time"
)

func TestSetsHaveAWorkingSessionAllDayOnALossyPath(t *testing.T) {
	for _, loss := range []float64{0, 0.05, 0.3} {
		t.Run(fmt.Sprint(loss), func(t *testing.T) {
			w := newWorld(t, 20)
			w.loss, w.twice = loss, 0.02
			w.connect()
			w.heartbeats(10 * time.Second)
			for at := 5 * time.Second; at < 24*time.Hour; at += 3 * time.Second {
				w.run(3 * time.Second)
				if !w.low.works() || !w.high.works() {
					t.Fatalf("at %v: low has a session that works: %v, high: %v", at, w.low.works(), w.high.works())
				}
			}
			for _, e := range []*end{w.low, w.high} {
				if e.lost > 0 {
					t.Errorf("%d boxes came under sessions that were over", e.lost)
				}
				switch {
				case e.confirmed < 23:
					t.Errorf("%v sessions were confirmed, want at least 23", e.confirmed)
				case e.set.Len() > MaxSessions:
					t.Errorf("there are %v sessions, want at most %v", e.set.Len(), MaxSessions)
				case e.moved > 0:
					t.Errorf("the path changed %v times, want 0", e.moved)
				}
			}
			if w.low.renewals < 23 || w.high.renewals > w.low.renewals/4 {
				t.Errorf("the lower id asked for %d renewals, the other for %d", w.low.renewals, w.high.renewals)
			}
		})
	}
}

func TestSimulatedDayIsTheSameEachTimeAndUnderTheRealCipher(t *testing.T) {
	day := func(suite Suite) string {
		w := newWorld(t, 21)
		w.suite, w.loss = suite, 0.1
		w.connect()
		w.heartbeats(30 * time.Second)
		w.run(12 * time.Hour)
		return fmt.Sprint(w.order, w.low.heard, w.high.heard, w.low.heardAt, w.low.closed[0].Session.Handshake(), w.high.set.At(0).Prefix())
	}
	null := day(Null)
	if again := day(Null); again != null {
		t.Errorf("first %s, then %s", null, again)
	}
	if real := day(NaCl); real != null {
		t.Errorf("without cipher %s, with it %s", null, real)
	}
}

func TestSessionGoesOnForADayWhenNoRenewalSucceedsAndThenEnds(t *testing.T) {
	w := newWorld(t, 22)
	w.connect()
	w.heartbeats(10 * time.Second)
	w.low.hears, w.high.hears = false, false
	w.run(25 * time.Hour)
	if !w.low.works() || !w.high.works() {
		t.Fatal("the old session ended early")
	}
	if n := w.low.renewals; n < 200 || n > 400 {
		t.Errorf("the lower id asked %d times in a day", n)
	}
	w.run(10 * time.Minute)
	for _, e := range []*end{w.low, w.high} {
		switch {
		case e.set.Len() != 0:
			t.Errorf("there are %v sessions, want 0", e.set.Len())
		case e.set.Current(w.now) != nil:
			t.Errorf("a session is left to seal under: %v, want nil", e.set.Current(w.now))
		case !e.set.NextTimeout().IsZero():
			t.Errorf("the next timeout is at %v, want zero", e.set.NextTimeout())
		}
		if len(e.closed) != 1 || e.closed[0].Reason != Expired {
			t.Errorf("closed %v", e.closed)
		}
	}
}

func TestWithoutALinkNobodySealsUnderASessionThatItsPeerHasClosed(t *testing.T) {
	for seed := range byte(5) {
		w := newWorld(t, 30+seed)
		w.loss = 0.2
		talk := func(e *end) {
			if s := e.set.Current(w.now); s == nil {
				e.handshake()
			} else if !e.works() {
				t.Fatalf("seed %d: sealed under a session that the peer does not have", seed)
			} else {
				e.sendUnder(s, e.set.Path(), heartbeat, 0)
			}
		}
		for range 1500 {
			w.run(time.Duration(w.rng.ExpFloat64() * float64(40*time.Second)))
			talk([]*end{w.low, w.high}[w.rng.IntN(2)])
		}
		if n := len(w.low.closed); n < 20 {
			t.Errorf("seed %d: only %d sessions were closed", seed, n)
		}
	}
}
