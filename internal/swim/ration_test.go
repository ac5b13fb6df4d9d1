package swim

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// accuseAs delivers an accusation of node i that a peer claims another node has made, of an incarnation that is so much
// higher than the one that is known.
func (w *world) accuseAs(via *Peer, by wire.NodeID, i int, more uint64) {
	w.t.Helper()
	w.do(w.HandleAccusation(nil, w.now, w.entry(i), w.entry(i).Incarnation+more, by, via))
}

// refutes makes node i refute everything that it was accused of.
func (w *world) refutes(i int) {
	m := w.entry(i)
	m.Incarnation += 1 << 20
	m.Refuted = m.Incarnation - 1
	w.HandleRefutation(w.now, m)
}

// One member accuses another one again and again, always of a new incarnation or after a refutation. The others pass on
// a few of the accusations (PROTOCOL.md V12).
func TestMemberIsNotPutUnderSuspicionAgainAndAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		refutes bool
	}{{"it refutes each accusation", true}, {"the incarnation grows", false}} {
		w := newLinked(t, 12)
		began := w.now
		for n := range 1000 {
			w.accuseAs(w.peer(2), goID(100+n), 1, uint64(n))
			if c.refutes {
				w.refutes(1)
			}
			w.answer(1)
			w.run(20 * time.Millisecond)
		}
		most := suspicionBurst + 1 + int(w.now.Sub(began)/(4*w.cfg.ProbeInterval))
		if got := len(w.all(Spread)); got > most {
			t.Errorf("%s: %d of 1000 accusations were passed on, want at most %d", c.name, got, most)
		}
		if w.Detector.Stats.AccusationsRationed == 0 {
			t.Errorf("%s: none was counted", c.name)
		}
		w.wantAccusable(t, 1)
	}
}

// Suspicions of a member do not count any more when it has failed, because it was not accused in vain (PROTOCOL.md V12).
func TestSuspicionsOfAMemberThatHasFailedDoNotCount(t *testing.T) {
	w := newLinked(t, 8)
	w.accuse(2, 1)
	if _, counted := w.ration.suspicions.Get(goID(1)); !counted {
		t.Fatal("the suspicion does not count")
	}
	w.silence(1)
	w.until(time.Minute, w.dead(1))
	if _, counted := w.ration.suspicions.Get(goID(1)); counted || w.entry(1).Live() {
		t.Errorf("it counts: %v; the member is alive: %v", counted, w.entry(1).Live())
	}
}

// wantAccusable checks that a member that no longer answers is found dead, although others may not accuse it further.
func (w *world) wantAccusable(t *testing.T, i int) {
	t.Helper()
	w.silence(i)
	w.run(5 * time.Second)
	w.accuseItself(i)
	w.until(30*time.Second, w.dead(i))
}

// One peer accuses ever more members. PROTOCOL.md V12.
func TestPeerBringsABoundedNumberOfAccusations(t *testing.T) {
	const members = 3000
	for _, linked := range []bool{true, false} {
		w := newLinked(t, 8)
		for i := 9; i <= members; i++ {
			w.join(goID(i), i)
		}
		for i := 9; i <= members; i++ {
			via := w.peer(2)
			if !linked { // as many ids as the attacker likes
				via = &Peer{ID: goID(10_000 + i)}
			}
			w.accuseAs(via, goID(3), i, 0)
		}
		if got := w.Suspicions(); got != AccusationRate.Burst {
			t.Errorf("linked %v: %d suspicions, want %d", linked, got, AccusationRate.Burst)
		}
		w.accuseAs(w.peer(4), goID(4), members, 0)
		if !w.Suspects(w.entry(members)) {
			t.Errorf("linked %v: the accusation of another peer does not count", linked)
		}
	}
}

// A node that is accused on and on refutes at a bounded rate, and in the end everything that was said of it.
func TestNodeRefutesAtABoundedRate(t *testing.T) {
	w := newLinked(t, 8)
	me := w.self
	began, last := w.now, uint64(0)
	for n := range uint64(1000) {
		last = me.Incarnation + 7 + n
		w.do(w.HandleSelf(nil, w.now, &wire.Member{State: wire.StateDead, ID: me.ID, Incarnation: last}, w.peer(1)))
		w.run(time.Millisecond)
	}
	most := refutalBurst + 1 + int(w.now.Sub(began)/(w.cfg.ProbeInterval/4))
	if got := len(w.all(Refute)); got > most {
		t.Errorf("%d refutations, want at most %d", got, most)
	}
	w.run(w.cfg.ProbeInterval)
	all := w.all(Refute)
	if got := all[len(all)-1].Incarnation; got != last {
		t.Errorf("the last refutation is of %d, want %d", got, last)
	}
}

// A member that accuses this node all the time does not make it slow to find failures, while its Pings are answered
// (PROTOCOL.md V6, V12).
func TestAccusationsOfThisNodeRaiseItsScoreABoundedNumberOfTimes(t *testing.T) {
	w := newLinked(t, 8)
	const ticks = 10 // in each ProbeInterval
	highest := 0
	for n := range 60 * ticks {
		me := w.self
		w.do(w.HandleSelf(nil, w.now, &wire.Member{State: wire.StateSuspect, ID: me.ID, Incarnation: me.Incarnation + 7}, w.peer(1)))
		w.run(w.cfg.ProbeInterval / ticks)
		if n%ticks == 0 {
			w.health.note(-1) // an answered Ping, see V8
		}
		if highest = max(highest, w.health.score); n > 10*ticks && w.health.score > 1 {
			t.Fatalf("the score is %d after %d ProbeIntervals, want at most 1", w.health.score, n/ticks)
		}
	}
	if highest == 0 || highest > suspicionBurst {
		t.Errorf("the highest score was %d, want from 1 to %d", highest, suspicionBurst)
	}
}

// PROTOCOL.md V7.
func TestPauseOfThisNodeIsNoSilenceOfPeersWithoutALink(t *testing.T) {
	w := newLinked(t, 3)
	p := w.peerOf(goID(9))
	p.Guard(w.now.Add(time.Minute))
	w.now = w.now.Add(20 * time.Second)
	w.HandlePause(w.now, 20*time.Second)
	if p.Silent(w.now) {
		t.Errorf("a guarded peer is silent for %v", w.now.Sub(p.Heard))
	}
}
