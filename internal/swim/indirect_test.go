package swim

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// request makes node by request a probe, and reports whether it was accepted.
func (w *world) request(by int, seq uint64, target wire.NodeID, at netip.AddrPort) bool {
	w.t.Helper()
	out, ok := w.HandleProbeFor(nil, w.now, w.peer(by), &wire.ProbeFor{Seq: seq, Target: target, Addr: at})
	w.do(out)
	return ok
}

// results returns the answers sent since the last call of clear.
func (w *world) results() (answers []wire.ProbeResult) {
	for _, a := range w.all(SendProbeResult) {
		answers = append(answers, a.ProbeResult)
	}
	return answers
}

// PROTOCOL.md V3.
func TestRequesterGetsTheResult(t *testing.T) {
	for name, answers := range map[string]bool{"alive": true, "silent": false} {
		t.Run(name, func(t *testing.T) {
			w := newLinked(t, 5)
			w.silence(1)
			if !w.request(2, 77, goID(1), addr(99)) {
				t.Fatal("refused")
			}
			if a := w.all(Reach); len(a) != 1 || a[0].Addr != addr(1) { // the address in this node's own table wins
				t.Errorf("%+v", a)
			}
			w.clear()
			w.run(100 * time.Millisecond)
			if answers {
				w.answer(1)
			}
			took := w.until(time.Second, func() bool { return len(w.results()) > 0 })
			if got := w.results(); len(got) != 1 || got[0] != (wire.ProbeResult{Seq: 77, Answered: answers}) {
				t.Errorf("%+v", got)
			}
			if w.targets(SendProbeResult)[0] != 2 {
				t.Errorf("told %v", w.targets(SendProbeResult))
			}
			if want := 300 * time.Millisecond; !answers && took != want { // 4/5 of ProbeTimeout in total
				t.Errorf("after further %v, want %v", took, want)
			}
			w.run(2 * time.Second)
			if w.Requested() != 0 {
				t.Errorf("%d are left", w.Requested())
			}
		})
	}
}

func TestAddressOfARequestIsUsedForStrangersOnly(t *testing.T) {
	for _, c := range []struct {
		what string
		at   netip.AddrPort
		want netip.AddrPort
	}{
		{"a usable address", addr(60), addr(60)},
		{"no address", netip.AddrPort{}, netip.AddrPort{}},
		{"no port", netip.AddrPortFrom(addr(60).Addr(), 0), netip.AddrPort{}},
		{"the unspecified address", netip.MustParseAddrPort("0.0.0.0:6969"), netip.AddrPort{}},
	} {
		w := newLinked(t, 3)
		w.byID[goID(60)] = 60
		w.request(1, 1, goID(60), c.at)
		w.wantTargets(Reach, 60)
		if got := w.all(Reach)[0].Addr; got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestRequestAboutThisNodeIsAnsweredAtOnce(t *testing.T) {
	w := newLinked(t, 3)
	w.request(1, 5, goID(0), addr(0))
	if got := w.results(); len(got) != 1 || !got[0].Answered {
		t.Errorf("%+v", got)
	}
	w.clear()
	w.members.Leave(w.now)
	w.request(1, 6, goID(0), addr(0))
	if got := w.results(); len(got) != 1 || got[0].Answered {
		t.Errorf("after it left: %+v", got)
	}
}

func TestSecondRequesterLearnsOfTheFailureAtOnce(t *testing.T) {
	w := newLinked(t, 5)
	w.silence(1)
	w.request(2, 1, goID(1), addr(1))
	w.run(100 * time.Millisecond)
	w.request(3, 2, goID(1), addr(1))
	w.run(350 * time.Millisecond)
	w.wantTargets(SendProbeResult, 2, 3)
	w.clear()
	w.request(4, 3, goID(1), addr(1))
	w.wantTargets(SendProbeResult, 4)
	if got := w.results(); got[0].Answered {
		t.Errorf("%+v", got)
	}
}

// The work that an insider can cause on other nodes is bounded (PROTOCOL.md V3).
func TestRequestsAreBounded(t *testing.T) {
	t.Run("for each peer and second", func(t *testing.T) {
		w := newLinked(t, 3)
		taken := 0
		for i := range 500 {
			if w.request(1, uint64(i), goID(1000+i), addr(60)) {
				taken++
			}
		}
		if taken != RequestRate {
			t.Errorf("%d taken", taken)
		}
	})
	t.Run("about this node, for each peer and second", func(t *testing.T) {
		w := newLinked(t, 3)
		for i := range 500 {
			w.request(1, uint64(i), goID(0), addr(0))
		}
		if n := len(w.results()); n != RequestRate {
			t.Errorf("%d answered", n)
		}
	})
	t.Run("in all", func(t *testing.T) {
		w := newLinked(t, 20)
		for i := range 20 * RequestRate {
			w.request(1+i%20, uint64(i), goID(1000+i), addr(60))
		}
		if w.Requested() != RequestedMax || len(w.all(Reach)) != RequestedMax {
			t.Errorf("%d nodes are probed, %d times", w.Requested(), len(w.all(Reach)))
		}
		w.run(3 * time.Second)
		if w.Requested() != 0 {
			t.Errorf("%d are left", w.Requested())
		}
	})
	t.Run("for each target", func(t *testing.T) {
		w := newLinked(t, 25)
		w.silence(25)
		for i := 1; i <= 24; i++ {
			if took := w.request(i, uint64(i), goID(25), addr(25)); took != (i <= requestersMax) {
				t.Errorf("requester %d: %t", i, took)
			}
		}
		w.run(450 * time.Millisecond)
		if n := len(w.results()); n != requestersMax {
			t.Errorf("%d told", n)
		}
	})
}

func TestRequesterThatIsGoneGetsNoResult(t *testing.T) {
	w := newLinked(t, 5)
	w.silence(1, 2)
	w.request(2, 1, goID(1), addr(1))
	w.LinkDown(w.peer(2))
	w.RemovePeer(w.peer(2))
	w.clear()
	w.run(time.Second)
	if n := len(w.results()); n != 0 {
		t.Errorf("%d results", n)
	}
}

// The helper has found out the same and need not probe again.
func TestNodeWhoseProbeForOthersFailedJoinsTheAccusation(t *testing.T) {
	w := newLinked(t, 8)
	w.silence(1)
	w.request(2, 1, goID(1), addr(1))
	w.run(450 * time.Millisecond)
	w.clear()
	w.accuse(2, 1)
	w.want(Suspected, Spread, Suspected, Spread)
	if !w.Accuses(w.entry(1)) || w.Stats.SuspicionsRaised != 1 {
		t.Errorf("accuses %v, %d raised", w.Accuses(w.entry(1)), w.Stats.SuspicionsRaised)
	}
}

func TestNodeForgetsThatItsProbeFailed(t *testing.T) {
	w := newLinked(t, 8)
	w.silence(1)
	w.request(2, 1, goID(1), addr(1))
	w.run(time.Second)
	w.accuse(2, 1)
	if w.Accuses(w.entry(1)) {
		t.Error("it accuses by what it found out long ago")
	}
}
