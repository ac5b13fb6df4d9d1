package swim

import (
	"testing"
	"time"
)

// tickFor ticks node i as the core does, until the Detector wants no further tick within d.
func (w *world) tickFor(i int, d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); ; {
		next, out := w.Tick(nil, w.now, w.peer(i))
		w.do(out)
		if next.IsZero() || next.After(end) {
			w.runTo(end)
			return
		}
		if !next.After(w.now) {
			w.t.Fatalf("the next tick at %v is not later than now", next)
		}
		w.runTo(next)
	}
}

func TestLinkThatIsHeardNeedsNothingForTwoIntervalsAndATenth(t *testing.T) {
	w := newLinked(t, 3)
	w.hear(1)
	next, out := w.Tick(nil, w.now, w.peer(1))
	w.do(out)
	w.want()
	if want := w.now.Add(2100 * time.Millisecond); next != want {
		t.Errorf("next tick %v later than now, want %v", next.Sub(w.now), want.Sub(w.now))
	}
}

func TestSilentLinkIsProbed(t *testing.T) {
	w := newLinked(t, 5)
	w.silence(1)
	w.run(3 * time.Second)
	w.tickFor(1, time.Millisecond)
	w.want(ProbeStarted, CheckPath, Reach, SendProbeFor, SendProbeFor, SendProbeFor, HelpersAsked)
	w.tickFor(1, time.Millisecond)
	w.want() // one probe at a time
}

// PROTOCOL.md G7.
func TestPeerIsAskedOnceBeforeItIsProbed(t *testing.T) {
	w := newLinked(t, 5)
	w.silence(1)
	w.run(1900 * time.Millisecond)
	w.tickFor(1, 100*time.Millisecond)
	w.want()
	w.tickFor(1, 100*time.Millisecond)
	w.want(Reach)
	w.tickFor(1, 10*time.Millisecond)
	w.want()
	w.answer(1)
	w.tickFor(1, 300*time.Millisecond)
	w.want()
}

func TestPeerThatIsSilentAgainIsAskedAgain(t *testing.T) {
	w := newLinked(t, 5)
	w.silence(1)
	for range 2 {
		w.answer(1)
		w.tickFor(1, 2150*time.Millisecond)
		w.want(Reach)
	}
}

// PROTOCOL.md G6.
func TestPeerThatSaysThatItsNextHeartbeatIsLateIsGivenThatTime(t *testing.T) {
	w := newLinked(t, 5)
	w.silence(1)
	w.peer(1).SetInterval(2*time.Second, time.Second)
	w.answer(1)
	w.tickFor(1, 3050*time.Millisecond)
	w.want()
	w.tickFor(1, 100*time.Millisecond)
	w.want(Reach)
	w.tickFor(1, 100*time.Millisecond)
	w.wantTargets(ProbeStarted, 1)
}

func TestSilentPeerWithoutALinkIsProbedByThisNodeFirst(t *testing.T) {
	w := newLinked(t, 5)
	w.LinkDown(w.peer(1))
	w.silence(1)
	w.run(3 * time.Second)
	w.tickFor(1, time.Millisecond)
	w.want(Reach)
}

func TestAccusedPeerIsPingedEvery500Milliseconds(t *testing.T) {
	w := newLinked(t, 6)
	w.silence(1)
	w.run(3 * time.Second)
	w.tickFor(1, 600*time.Millisecond) // the probe fails
	w.wantTargets(ProbeFailed, 1)
	w.clear()
	for range 4 {
		for i := 2; i <= 6; i++ {
			w.beat(i)
		}
		w.tickFor(1, 500*time.Millisecond)
	}
	if n := len(w.all(SendPing)); n < 4 || n > 5 {
		t.Errorf("%d Pings in two seconds", n)
	}
	if n := len(w.all(CheckPath)); n < 4 || n > 5 {
		t.Errorf("%d looks at the path", n)
	}
}

func TestDeafPeerIsProbedAfterAFifthOfTheProbeTimeout(t *testing.T) {
	w := newLinked(t, 5)
	p := w.peer(1)
	w.silence(1)
	for range 6 { // it sends but hears nothing
		w.run(500 * time.Millisecond)
		w.hear(1)
	}
	w.do(w.HearReport(nil, w.now, p, w.now.Sub(p.heardUs), 0))
	w.want(SendPing, Watch)
	next, out := w.Tick(nil, w.now, p)
	if w.do(out); next != w.now.Add(100*time.Millisecond) {
		t.Errorf("looked at again after %v", next.Sub(w.now))
	}
	w.want()
	w.runTo(next)
	w.tickFor(1, time.Millisecond)
	w.wantTargets(ProbeStarted, 1)
}

func TestDeafPeerThatAnswersThePingIsNotProbed(t *testing.T) {
	w := newLinked(t, 5)
	p := w.peer(1)
	w.do(w.HearReport(nil, w.now, p, 3*time.Second, 0))
	seq := w.ping(p, Purpose{})
	w.runTo(w.now.Add(20 * time.Millisecond))
	w.hear(1)
	_, _, out := w.HearAck(nil, w.now, p, seq)
	w.do(out)
	w.clear()
	w.tickFor(1, 200*time.Millisecond)
	w.want()
}

// Helpers vouch for the peer: it is alive, and only this link is dead in one direction (PROTOCOL.md G7).
func TestLinkThatIsDeadInOneDirectionEnds(t *testing.T) {
	w := newLinked(t, 5)
	w.silence(1)
	p := w.peer(1)
	for range 11 {
		w.run(500 * time.Millisecond)
		p.vouched = w.now
		w.tickFor(1, 0)
	}
	w.want(EndLink)
	if p.linked || !w.entry(1).Live() {
		t.Errorf("linked %v, live %v", p.linked, w.entry(1).Live())
	}
}

func TestLinkWithASuspectDoesNotEndBeforeTheDecision(t *testing.T) {
	w := newLinked(t, 5)
	w.silence(1)
	w.run(6 * time.Second)
	w.accuse(2, 1)
	w.clear()
	w.peer(1).vouched = w.now
	w.tickFor(1, 0)
	if len(w.all(EndLink)) != 0 {
		t.Error("the link ended")
	}
}

func TestSilentStrangerIsPingedAndThenDropped(t *testing.T) {
	w := newLinked(t, 3)
	p := w.link(50)
	w.tickFor(50, 4900*time.Millisecond)
	if n := len(w.all(SendPing)); n < 5 || n > 6 {
		t.Errorf("%d Pings", n)
	}
	if len(w.all(DropLink)) != 0 {
		t.Fatal("dropped too early")
	}
	w.clear()
	w.tickFor(50, 400*time.Millisecond)
	w.want(DropLink)
	if p.linked {
		t.Error("it is linked")
	}
}

func TestStrangerThatIsHeardIsLeftAlone(t *testing.T) {
	w := newLinked(t, 3)
	w.link(50)
	for range 20 {
		w.tickFor(50, 500*time.Millisecond)
		w.hear(50)
	}
	w.want()
}
