package swim

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// probe starts a probe of node i that is not a patrol.
func (w *world) probe(i int) *probe {
	w.t.Helper()
	w.begin(nil)
	w.startProbe(w.now, w.entry(i), false)
	w.do(w.take())
	return w.probeOf(goID(i))
}

// PROTOCOL.md V1.
func TestProbeAsksTheMemberAndThreeHelpersAtOnce(t *testing.T) {
	w := newLinked(t, 8)
	pr := w.probe(1)
	w.wantTargets(Reach, 1)
	if a := w.all(Reach)[0]; a.Addr != addr(1) || a.Again {
		t.Errorf("%+v", a)
	}
	helpers := w.targets(SendProbeFor)
	if len(helpers) != 3 || slices.Contains(helpers, 1) {
		t.Errorf("helpers %v", helpers)
	}
	for _, a := range w.all(SendProbeFor) {
		if a.ProbeFor != (wire.ProbeFor{Seq: pr.seq, Target: goID(1), Addr: addr(1)}) {
			t.Errorf("%+v", a.ProbeFor)
		}
	}
	w.wantTargets(HelpersAsked, 1)
	if a := w.all(HelpersAsked)[0]; a.Count != 3 {
		t.Errorf("told of %d helpers", a.Count)
	}
	if w.Stats.ProbesIndirect != 3 {
		t.Errorf("%d counted", w.Stats.ProbesIndirect)
	}
}

func TestHelpersAreAliveMembersThatAreHeard(t *testing.T) {
	w := newLinked(t, 6)
	w.silence(2)       // not heard
	w.accuse(9, 3)     // suspected
	w.fail(w.entry(4)) // dead
	w.link(50)         // not a member
	w.LinkUp(w.now, w.peerOf(legacyID(7)))
	w.join(legacyID(7), 70) // a legacy node
	w.run(2300 * time.Millisecond)
	w.hear(50)
	w.clear()
	w.probe(1)
	w.wantTargets(SendProbeFor, 5, 6)
}

func TestNoHelpersAreAskedIfThereShallBeNone(t *testing.T) {
	w := newLinked(t, 8, func(c *Config) { c.IndirectChecks = -1 })
	w.probe(1)
	w.want(ProbeStarted, CheckPath, Reach)
}

func TestProbeAsksAgainAtHalfTimeAndFailsInTheEnd(t *testing.T) {
	w := newLinked(t, 8)
	w.silence(1)
	w.probe(1)
	w.clear()
	w.run(240 * time.Millisecond)
	w.want()
	w.run(20 * time.Millisecond)
	if a := w.all(Reach); len(a) != 1 || !a[0].Again {
		t.Errorf("%+v", a)
	}
	w.want(Reach)
	w.run(230 * time.Millisecond)
	w.want()
	w.run(20 * time.Millisecond)
	w.want(ProbeFailed, Suspected, Spread)
	w.wantState(1, wire.StateSuspect)
	if w.Stats.ProbesFailed != 1 || w.Stats.SuspicionsRaised != 1 {
		t.Errorf("%+v", w.Stats)
	}
	if len(w.probes) != 0 {
		t.Errorf("%d probes are left", len(w.probes))
	}
}

func TestAnswerEndsTheProbe(t *testing.T) {
	w := newLinked(t, 8)
	w.health.note(2)
	w.probe(1)
	w.clear()
	w.run(100 * time.Millisecond)
	w.answer(1)
	w.want(ProbeAnswered)
	if w.Health() != 1 {
		t.Errorf("health %d", w.Health())
	}
	w.run(2 * time.Second)
	w.want()
}

// A node that cannot hear still sends (PROTOCOL.md V1).
func TestPacketThatProvesNothingIsNoAnswer(t *testing.T) {
	w := newLinked(t, 8)
	w.silence(1)
	w.probe(1)
	w.clear()
	before := w.now
	w.run(100 * time.Millisecond)
	w.hear(1)
	w.do(w.HearAnswer(nil, w.now, w.peer(1), before.Add(-time.Millisecond))) // heard before the probe
	w.want()
	w.do(w.HearAnswer(nil, w.now, w.peer(1), before))
	w.want(ProbeAnswered)
}

func TestConfirmedSessionIsAnAnswer(t *testing.T) {
	w := newLinked(t, 8)
	w.probe(1)
	w.clear()
	w.run(50 * time.Millisecond)
	w.peer(1).Introduced(w.now)
	w.do(w.Answered(nil, w.now, w.peer(1)))
	w.want(ProbeAnswered)
}

func TestHelperThatWasAnsweredEndsTheProbe(t *testing.T) {
	w := newLinked(t, 8)
	w.silence(1)
	pr := w.probe(1)
	helpers := w.targets(SendProbeFor)
	w.clear()
	w.run(100 * time.Millisecond)
	other := 2
	for slices.Contains(helpers, other) {
		other++
	}
	for _, step := range []struct {
		by   int
		seq  uint64
		want []Kind
	}{
		{other, pr.seq, nil},          // was not asked
		{helpers[0], pr.seq + 1, nil}, // about another probe
		{helpers[0], pr.seq, []Kind{ProbeVouched}},
		{helpers[1], pr.seq, nil}, // too late
	} {
		w.do(w.HandleProbeResult(nil, w.now, w.peer(step.by), wire.ProbeResult{Seq: step.seq, Answered: true}))
		w.want(step.want...)
	}
	if w.peer(1).vouched != w.now || w.Stats.ResultsAlive != 4 {
		t.Errorf("vouched for at %v, %d results", w.peer(1).vouched, w.Stats.ResultsAlive)
	}
}

func TestHelperThatWasNotAnsweredEndsNothing(t *testing.T) {
	w := newLinked(t, 8)
	pr := w.probe(1)
	for _, i := range w.targets(SendProbeFor) {
		w.do(w.HandleProbeResult(nil, w.now, w.peer(i), wire.ProbeResult{Seq: pr.seq}))
	}
	if w.probeOf(goID(1)) == nil {
		t.Error("the probe has ended")
	}
	if len(pr.helpers) != 0 || w.Stats.ResultsNone != 3 {
		t.Errorf("%d helpers, %d results", len(pr.helpers), w.Stats.ResultsNone)
	}
	w.silence(1)
	w.run(600 * time.Millisecond)
	if w.Health() != 0 {
		t.Errorf("health %d although all helpers answered", w.Health())
	}
}

// PROTOCOL.md V6.
func TestSilenceOfHelpersThatLiveWorsensLocalHealth(t *testing.T) {
	w := newLinked(t, 8)
	w.silence(1)
	w.probe(1)
	w.run(600 * time.Millisecond)
	if w.Health() != 3 {
		t.Errorf("health %d, want one for each helper", w.Health())
	}
}

func TestSilenceOfHelpersThatFellSilentThemselvesChangesNoLocalHealth(t *testing.T) {
	w := newLinked(t, 8)
	w.probe(1)
	helpers := w.targets(SendProbeFor)
	w.silence(append(helpers, 1)...)
	w.run(600 * time.Millisecond)
	if w.Health() != 0 {
		t.Errorf("health %d", w.Health())
	}
	w.wantState(1, wire.StateSuspect)
}

func TestProbeWithoutHelpersWorsensLocalHealthOnce(t *testing.T) {
	w := newWorld(t, 8)
	for range 3 {
		w.peer(2)
		w.probe(1)
		w.hear(2) // so that this node hears a node
		w.run(200 * time.Millisecond)
		w.hear(2)
		w.run(time.Second)
	}
	if w.Health() != 1 {
		t.Errorf("health %d", w.Health())
	}
}

func TestNodeInIllHealthWaitsLonger(t *testing.T) {
	w := newLinked(t, 8)
	w.health.note(3)
	w.silence(1)
	w.probe(1)
	w.run(1900 * time.Millisecond)
	if len(w.all(ProbeFailed)) != 0 {
		t.Error("failed early")
	}
	w.run(200 * time.Millisecond)
	w.wantTargets(ProbeFailed, 1)
}

func TestProbeEndsWithoutAWordIfTheMemberIsGoneOrRefutes(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"gone":    func(w *world) { w.fail(w.entry(1)) },
		"refuted": func(w *world) { w.entry(1).Refuted++ },
		"left":    func(w *world) { w.members.Leave(w.now) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newLinked(t, 8)
			w.silence(1)
			w.probe(1)
			w.clear()
			change(w)
			w.run(2 * time.Second)
			if len(w.probes) != 0 || w.Stats.ProbesFailed != 0 {
				t.Errorf("%d probes, %d failed", len(w.probes), w.Stats.ProbesFailed)
			}
		})
	}
}

func TestNeitherLegacyMembersNorNodesThatLeftProbe(t *testing.T) {
	w := newLinked(t, 3)
	w.join(legacyID(7), 7)
	w.begin(nil)
	w.startProbe(w.now, w.members.Get(legacyID(7)), false)
	w.do(w.take())
	w.want()
	w.members.Leave(w.now)
	w.probe(1)
	w.want()
}

// PROTOCOL.md V2.
func TestPatrolReachesEachMemberWithoutALink(t *testing.T) {
	w := newWorld(t, 20)
	for i := 1; i <= 4; i++ {
		w.link(i)
		w.lively = append(w.lively, i)
	}
	asked := map[int]int{}
	began := w.now
	for w.now.Sub(began) < 20*time.Minute {
		w.run(beatEvery)
		for _, i := range w.targets(Reach) {
			asked[i]++
			w.answer(i)
		}
		w.clear()
	}
	total := 0
	for i, n := range asked {
		if total += n; i <= 4 {
			t.Errorf("node %d is linked and was asked %d times", i, n)
		}
	}
	if len(asked) != 16 {
		t.Errorf("%d of 16 members asked", len(asked))
	}
	if total < 100 || total > 135 {
		t.Errorf("asked %d times in 20 minutes", total)
	}
}

func TestPatrolGoesOnToHelpersIfTheMemberDoesNotAnswer(t *testing.T) {
	w := newLinked(t, 6)
	w.LinkDown(w.peer(1))
	w.silence(1)
	w.begin(nil)
	w.startProbe(w.now, w.entry(1), true)
	w.do(w.take())
	w.want(Reach)
	w.run(260 * time.Millisecond)
	w.want(Reach)
	w.run(260 * time.Millisecond)
	w.want(CheckPath, Reach, SendProbeFor, SendProbeFor, SendProbeFor, HelpersAsked)
	w.run(520 * time.Millisecond)
	if len(w.all(ProbeFailed)) != 1 {
		t.Error("it did not fail")
	}
}

func TestPatrolThatAHandshakeAnsweredIsFollowedByAPing(t *testing.T) {
	w := newLinked(t, 6)
	w.LinkDown(w.peer(1))
	w.begin(nil)
	w.startProbe(w.now, w.entry(1), true)
	w.do(w.take())
	w.clear()
	w.answer(1)
	w.want(SendPing) // to measure the round trip
}

func TestPatrolIsRareIfHeartbeatsAre(t *testing.T) {
	w := newWorld(t, 5, func(c *Config) { c.Heartbeat = 30 * time.Second })
	w.run(10 * time.Minute)
	if n := len(w.all(Reach)); n == 0 || n > 40 {
		t.Errorf("%d requests in 10 minutes", n)
	}
}
