package swim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// accuseItself makes this node accuse node i, as a failed probe does.
func (w *world) accuseItself(i int) {
	w.t.Helper()
	w.begin(nil)
	w.addSelfAsAccuser(w.now, w.entry(i))
	w.do(w.take())
}

func TestAccusedMemberIsSuspectAndAMemberStill(t *testing.T) {
	w := newLinked(t, 8)
	version := w.members.Version()
	w.accuse(2, 1)
	w.wantState(1, wire.StateSuspect)
	if !w.entry(1).Live() {
		t.Error("it is no member")
	}
	if w.members.Version() == version {
		t.Error("the version is the same")
	}
	if w.Suspicions() != 1 {
		t.Errorf("%d suspicions", w.Suspicions())
	}
	if a := w.all(Spread); len(a) != 1 || a[0].Peer != w.peer(2) {
		t.Errorf("%+v", a)
	}
	w.want(Suspected, Spread)
}

// The times follow Lifeguard's formula (PROTOCOL.md V5).
func TestSuspicionShrinksWithConfirmations(t *testing.T) {
	w := newLinked(t, 30)
	m := w.entry(9)
	s := w.beginSuspicion(w.now, m, m.Incarnation)
	s.own = true
	// SuspicionMult 4 and ProbeInterval 1 s give a minimum of 2 s, a maximum of 12 s and k = 2.
	for i, want := range []time.Duration{12 * time.Second, 5690 * time.Millisecond, 2 * time.Second} {
		s.accusers = append(s.accusers, goID(i))
		if got := w.timeout(w.now, m, s); got.Truncate(time.Millisecond) != want {
			t.Errorf("%d confirmations: %v, want %v", i, got, want)
		}
	}
	w.health.note(3)
	if got := w.timeout(w.now, m, s); got != 8*time.Second {
		t.Errorf("in ill health: %v, want 8 s", got)
	}
	w.health.note(-3)
	s.own = false
	if got := w.timeout(w.now, m, s); got != 2*time.Second {
		t.Errorf("of a node that is linked to it: %v, want 2 s", got)
	}
	w.LinkDown(w.peer(9))
	if got := w.timeout(w.now, m, s); got != 4*time.Second {
		t.Errorf("of a node that does not watch it: %v, want 4 s", got)
	}
}

// PROTOCOL.md V4.
func TestConfirmationsAreWantedOnlyWhereTheyCanCome(t *testing.T) {
	for _, c := range []struct {
		what    string
		members int
		tweak   func(w *world)
		want    int
	}{
		{"30 members", 30, func(*world) {}, 2},
		{"three members", 3, func(*world) {}, 2},
		{"two members", 2, func(*world) {}, 0},
		{"no link works", 30, func(w *world) { w.now = w.now.Add(3 * time.Second) }, 0},
		{"few subscriptions", 30, func(w *world) { w.cfg.Subscriptions = 2 }, 1},
		{"a small multiplier", 30, func(w *world) { w.cfg.SuspicionMult = 1 }, 0},
		{"nearly all are suspects", 5, func(w *world) {
			for i := 1; i <= 4; i++ {
				w.beginSuspicion(w.now, w.entry(i), 1)
			}
		}, 0},
	} {
		w := newLinked(t, c.members)
		c.tweak(w)
		if got := w.confirmationsWanted(w.now); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

// PROTOCOL.md V4.
func TestFurtherAccusersAreNewsUpToTheirNumber(t *testing.T) {
	w := newLinked(t, 30)
	for _, step := range []struct {
		by   int
		news bool
	}{{3, true}, {3, false}, {4, true}, {4, false}, {5, true}, {6, false}, {5, false}} {
		stale := w.Stats.AccusationsStale
		w.accuse(step.by, 9)
		if got := len(w.all(Spread)) == 1; got != step.news {
			t.Errorf("accusation of %d: passed on %v, want %v", step.by, got, step.news)
		}
		if got := w.Stats.AccusationsStale > stale; got == step.news {
			t.Errorf("accusation of %d: counted as stale %v", step.by, got)
		}
		w.clear()
	}
	accusers, incarnation := w.Accusers(w.entry(9), true)
	if !slices.Equal(accusers, []wire.NodeID{goID(3), goID(4), goID(5)}) || incarnation != w.entry(9).Incarnation {
		t.Errorf("%v of %d", accusers, incarnation)
	}
}

func TestAccusersAreSpreadOnce(t *testing.T) {
	w := newLinked(t, 30)
	w.accuse(3, 9) // the world passes it on at once
	if accusers, _ := w.Accusers(w.entry(9), false); len(accusers) != 0 {
		t.Errorf("still to be told: %v", accusers)
	}
	w.do(nil)
	out := w.HandleAccusation(nil, w.now, w.entry(9), w.entry(9).Incarnation, goID(4), nil)
	if accusers, _ := w.Accusers(w.entry(9), false); !slices.Equal(accusers, []wire.NodeID{goID(4)}) {
		t.Errorf("to be told: %v", accusers)
	}
	w.do(out)
	if accusers, incarnation := w.Accusers(w.entry(8), true); accusers != nil || incarnation != 0 {
		t.Errorf("of a member that nobody accuses: %v", accusers)
	}
}

func TestOldAndImpossibleAccusationsDoNothing(t *testing.T) {
	w := newLinked(t, 8)
	w.entry(1).Refuted = 10
	w.fail(w.entry(2))
	w.join(legacyID(7), 7)
	legacy := w.members.Get(legacyID(7))
	w.do(w.HandleAccusation(nil, w.now, nil, 1, goID(3), nil))
	w.do(w.HandleAccusation(nil, w.now, w.entry(1), 10, goID(3), nil))
	w.do(w.HandleAccusation(nil, w.now, w.entry(2), w.entry(2).Incarnation, goID(3), nil))
	if w.Stats.AccusationsStale != 3 {
		t.Errorf("%d counted", w.Stats.AccusationsStale)
	}
	w.do(w.HandleAccusation(nil, w.now, legacy, legacy.Incarnation, goID(3), nil))
	w.do(w.HandleAccusation(nil, w.now, w.self, w.self.Incarnation, goID(3), nil))
	w.want()
	if w.Suspicions() != 0 {
		t.Errorf("%d suspicions", w.Suspicions())
	}
}

func TestAccusationOfAHigherIncarnationBeginsAnew(t *testing.T) {
	w := newLinked(t, 30)
	m := w.entry(9)
	w.accuse(3, 9)
	w.accuse(4, 9)
	w.run(time.Second)
	w.do(w.HandleAccusation(nil, w.now, m, m.Incarnation+1, goID(5), nil))
	accusers, incarnation := w.Accusers(m, true)
	if !slices.Equal(accusers, []wire.NodeID{goID(5)}) || incarnation != m.Incarnation+1 {
		t.Errorf("%v of %d", accusers, incarnation)
	}
	if w.Suspicions() != 1 {
		t.Errorf("%d suspicions", w.Suspicions())
	}
	if s := w.suspicions[m.ID]; s.began != w.now {
		t.Errorf("it began %v ago", w.now.Sub(s.began))
	}
	w.clear()
	w.do(w.HandleAccusation(nil, w.now, m, m.Incarnation, goID(6), nil))
	w.want() // of an earlier incarnation
}

func TestOwnAccusationConfirmsThatOfOthers(t *testing.T) {
	w := newLinked(t, 30)
	m := w.entry(9)
	w.do(w.HandleAccusation(nil, w.now, m, m.Incarnation+3, goID(5), nil))
	w.clear()
	w.accuseItself(9)
	accusers, incarnation := w.Accusers(m, true)
	if !slices.Equal(accusers, []wire.NodeID{goID(5), goID(0)}) || incarnation != m.Incarnation+3 {
		t.Errorf("%v of %d", accusers, incarnation)
	}
	w.want(Suspected, Spread)
}

func TestSuspectThatDoesNotRefuteIsDeclaredDead(t *testing.T) {
	for _, c := range []struct {
		confirmations int
		want          time.Duration
	}{{0, 12 * time.Second}, {1, 5690 * time.Millisecond}, {2, 2 * time.Second}} {
		w := newLinked(t, 30)
		w.silence(9)
		w.accuseItself(9)
		for i := range c.confirmations {
			w.accuse(3+i, 9)
		}
		took := w.until(15*time.Second, w.dead(9))
		if took < c.want || took > c.want+20*time.Millisecond {
			t.Errorf("%d confirmations: dead after %v, want %v", c.confirmations, took, c.want)
		}
		w.wantTargets(DeclareDead, 9)
		if w.Suspicions() != 0 {
			t.Errorf("%d suspicions are left", w.Suspicions())
		}
		w.clear()
		w.run(20 * time.Second)
		w.wantTargets(DeclareDead)
	}
}

func TestDeathHasTheIncarnationThatWasAccused(t *testing.T) {
	w := newLinked(t, 30)
	w.silence(9)
	m := w.entry(9)
	incarnation := m.Incarnation + 5
	w.do(w.HandleAccusation(nil, w.now, m, incarnation, goID(5), nil))
	w.until(30*time.Second, w.dead(9))
	if m.Incarnation != incarnation {
		t.Errorf("%d, want %d", m.Incarnation, incarnation)
	}
}

func TestRefutationEndsTheSuspicion(t *testing.T) {
	w := newLinked(t, 30)
	m := w.entry(9)
	w.accuse(3, 9)
	m.Refuted = m.Incarnation - 1
	if w.HandleRefutation(w.now, m) {
		t.Error("refuted by what it refuted before")
	}
	w.wantState(9, wire.StateSuspect)
	m.Refuted = m.Incarnation
	if !w.HandleRefutation(w.now, m) {
		t.Error("not refuted")
	}
	w.wantState(9, wire.StateAlive)
	if w.HandleRefutation(w.now, m) {
		t.Error("refuted twice")
	}
	w.clear()
	w.silence(9)
	w.run(time.Minute)
	w.wantTargets(DeclareDead)
}

// If this node has heard a suspect since the accusation, the accusation is wrong and the refutation will arrive
// (PROTOCOL.md V5).
func TestSuspectThatAnswersThisNodeIsNotifiedAndNotDead(t *testing.T) {
	w := newLinked(t, 30)
	w.accuse(3, 9)
	w.accuse(4, 9)
	w.accuse(5, 9)
	w.clear()
	w.run(5 * time.Second) // node 9 is heard and hears this node
	w.wantState(9, wire.StateSuspect)
	if n := len(w.all(SendNotice)); n != 4 {
		t.Errorf("told %d times in the three seconds after the decision was due", n)
	}
	if len(w.all(SendPing)) != len(w.all(SendNotice)) {
		t.Errorf("%d Pings", len(w.all(SendPing)))
	}
	w.silence(9)
	w.until(10*time.Second, w.dead(9))
}

func TestAccusedWithoutALinkIsNotified(t *testing.T) {
	w := newLinked(t, 8)
	w.LinkDown(w.peer(1))
	w.accuse(2, 1)
	w.want(Suspected, Spread, SendNotice)
}

func TestDecisionWaitsWhileThisNodeIsInIllHealth(t *testing.T) {
	w := newLinked(t, 30)
	w.silence(9)
	w.accuseItself(9)
	w.accuse(3, 9)
	w.accuse(4, 9)
	w.health.note(2)
	took := w.until(15*time.Second, w.dead(9))
	if took < 6*time.Second || took > 6100*time.Millisecond {
		t.Errorf("dead after %v, want 6 s", took)
	}
}

// PROTOCOL.md V11.
func TestNodeThatHearsNobodyAccusesNobody(t *testing.T) {
	w := newLinked(t, 4)
	w.silence(1, 2, 3, 4)
	w.run(3 * time.Second)
	w.probe(1)
	w.run(time.Second)
	if len(w.all(Spread)) != 0 || len(w.all(NobodyHeard)) != 1 {
		t.Errorf("%d spread, %d lines", len(w.all(Spread)), len(w.all(NobodyHeard)))
	}
	w.wantState(1, wire.StateSuspect)
	w.until(10*time.Second, w.dead(1))
	if len(w.all(DeclareDead)) != 0 {
		t.Error("the death is spread")
	}
	w.wantTargets(RemoveAlone, 1)
}

func TestSilenceThatEndsLetsAPrivateSuspectBeProbedAnew(t *testing.T) {
	w := newLinked(t, 4)
	w.silence(1, 2, 3, 4)
	w.run(3 * time.Second)
	w.probe(1)
	w.run(600 * time.Millisecond)
	w.wantState(1, wire.StateSuspect)
	w.clear()
	w.lively = []int{2, 3, 4}
	w.until(15*time.Second, func() bool { return !w.Suspects(w.entry(1)) })
	w.wantTargets(ProbeStarted, 1)
	w.until(5*time.Second, func() bool { return w.Suspects(w.entry(1)) }) // node 1 does not answer
	w.wantTargets(Spread, 1)
}

func TestPrivateSuspicionEndsWithoutAWordWhenTheMemberAnswers(t *testing.T) {
	w := newLinked(t, 4)
	w.silence(1, 2, 3, 4)
	w.run(3 * time.Second)
	w.probe(1)
	w.run(600 * time.Millisecond)
	w.clear()
	w.answer(1)
	w.want()
	w.wantState(1, wire.StateAlive)
}

func TestAccusationByAnotherNodeMakesAPrivateSuspicionPublic(t *testing.T) {
	w := newLinked(t, 4)
	w.silence(1, 2, 3, 4)
	w.run(3 * time.Second)
	w.probe(1)
	w.run(600 * time.Millisecond)
	w.clear()
	w.hear(2)
	w.accuse(2, 1)
	w.wantTargets(Spread, 1)
	if accusers, _ := w.Accusers(w.entry(1), true); !slices.Equal(accusers, []wire.NodeID{goID(0), goID(2)}) {
		t.Errorf("%v", accusers)
	}
	w.answer(1)
	w.wantState(1, wire.StateSuspect) // other nodes know about it, so it has to refute
}

// PROTOCOL.md M5.
func TestNodeRefutesWhatIsSaidOfItself(t *testing.T) {
	w := newLinked(t, 4)
	me := w.self
	own := me.Incarnation
	for _, c := range []struct {
		what        string
		state       wire.State
		incarnation uint64
		want        []Kind
	}{
		{"what it said itself", wire.StateAlive, own, nil},
		{"something else of its incarnation", wire.StateAlive, own, []Kind{Refute}},
		{"something older", wire.StateAlive, own - 1, nil},
		{"an incarnation ahead of it", wire.StateAlive, own + 1, []Kind{Refute}},
		{"an accusation", wire.StateSuspect, own, []Kind{Refute}},
		{"a death", wire.StateDead, own + 7, []Kind{Refute}},
		{"a departure", wire.StateLeft, own, []Kind{Refute}},
		{"an accusation refuted before", wire.StateSuspect, own - 5, []Kind{SendNotice}},
	} {
		me.Refuted = own - 5
		var e wire.Member
		me.Fill(&e)
		if e.State, e.Incarnation = c.state, c.incarnation; strings.HasPrefix(c.what, "something else") {
			e.Meta = []byte("poison")
		}
		out := w.HandleSelf(nil, w.now, &e, w.peer(1))
		for _, a := range out {
			if a.Kind == Refute && (a.Incarnation != c.incarnation || a.State != c.state) {
				t.Errorf("%s: %+v", c.what, a)
			}
			if a.Kind == SendNotice && a.Member != me {
				t.Errorf("%s: told of %v", c.what, a.Member)
			}
		}
		w.do(out)
		w.want(c.want...)
	}
	if w.Stats.SuspicionsRefuted != 5 || w.Health() != 3 { // a false accusation of a live node is no sign of ill health
		t.Errorf("%d counted, health %d", w.Stats.SuspicionsRefuted, w.Health())
	}
	w.do(w.HandleSelf(nil, w.now, &wire.Member{State: wire.StateSuspect, Incarnation: own - 5}, nil))
	w.want() // no node to notify
	w.members.Leave(w.now)
	w.do(w.HandleSelf(nil, w.now, &wire.Member{State: wire.StateDead, Incarnation: own + 9}, w.peer(1)))
	w.want() // this node has left
}

func TestClustersOfTwoDecideInTheLeastTime(t *testing.T) {
	w := newLinked(t, 2)
	w.silence(1)
	w.accuseItself(1)
	took := w.until(5*time.Second, w.dead(1))
	if took < 2*time.Second || took > 2020*time.Millisecond {
		t.Errorf("dead after %v", took)
	}
}

// Otherwise a peer could make this node count as an accuser, which decides first.
func TestAccusationThatClaimsToBeOfTheReceiverIsStale(t *testing.T) {
	w := newWorld(t, 5)
	for _, state := range []wire.State{wire.StateSuspect, wire.StateDead} {
		e := &wire.Member{State: state, ID: goID(1), Incarnation: w.entry(1).Incarnation, From: goID(0)}
		w.do(w.HandleEntry(nil, w.now, w.entry(1), e, false, nil))
		if w.Suspects(w.entry(1)) || w.Detector.Stats.AccusationsStale == 0 {
			t.Errorf("%v: taken in", state)
		}
	}
}

func TestDeathThatAnotherNodeReportsLeavesTheAccusedTheLeastTime(t *testing.T) {
	w := newWorld(t, 9)
	m := w.entry(1)
	e := &wire.Member{State: wire.StateDead, ID: m.ID, Incarnation: m.Incarnation, From: goID(2)}
	w.do(w.HandleEntry(nil, w.now, m, e, false, nil))
	if !w.Suspects(m) {
		t.Fatal("not even suspected")
	}
	least := time.Duration(w.cfg.SuspicionMult) * w.cfg.ProbeInterval / 2
	if at := w.suspicions[m.ID].began.Add(w.timeout(w.now, m, w.suspicions[m.ID])); at != w.now.Add(least) {
		t.Errorf("decided in %v, want %v", at.Sub(w.now), least)
	}
}
