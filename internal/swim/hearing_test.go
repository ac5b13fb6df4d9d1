package swim

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md V9.
func TestPeerThatDoesNotHearThisNodeIsPingedAndWatched(t *testing.T) {
	w := newLinked(t, 4)
	w.silence(1)
	p := w.peer(1)
	w.hear(1)
	w.do(w.HearReport(nil, w.now, p, 2*time.Second, 0))
	w.want() // the peer missed one heartbeat
	w.do(w.HearReport(nil, w.now, p, 2200*time.Millisecond, 0))
	if a := w.all(Watch); len(a) != 1 || a[0].At != w.now.Add(100*time.Millisecond) {
		t.Errorf("watch: %+v", a)
	}
	w.want(SendPing, Watch)
	w.do(w.HearReport(nil, w.now, p, 2300*time.Millisecond, 0))
	w.want() // one Ping is enough
	w.do(w.HearReport(nil, w.now, p, 100*time.Millisecond, 0))
	if !p.deafSince.IsZero() {
		t.Error("it is taken for deaf although it says that it hears this node")
	}
}

func TestReportOfAPeerWithoutALinkCallsItNotDeaf(t *testing.T) {
	w := newWorld(t, 2)
	w.do(w.HearReport(nil, w.now, w.peer(1), time.Hour, 0))
	w.want()
}

func TestReportReachesBackByTheRoundTrip(t *testing.T) {
	w := newLinked(t, 2)
	p := w.peer(1)
	w.now = w.now.Add(time.Second)
	w.do(w.HearReport(nil, w.now, p, 300*time.Millisecond, 200*time.Millisecond))
	if want := w.now.Add(-500 * time.Millisecond); p.heardUs != want {
		t.Errorf("it heard what was sent at %v, want %v", p.heardUs, want)
	}
	w.do(w.HearReport(nil, w.now, p, time.Minute, 0))
	if want := w.now.Add(-500 * time.Millisecond); p.heardUs != want {
		t.Error("an older report counts more than a newer one")
	}
}

func TestNodeHearsNobodyIfAllItsGoLinksAreSilent(t *testing.T) {
	w := newLinked(t, 3)
	w.peerOf(legacyID(9)).Heard = w.now
	w.LinkUp(w.now, w.peerOf(legacyID(9)))
	w.silence(1, 2, 3)
	w.run(2 * time.Second)
	if w.HearsNobody(w.now) {
		t.Error("after 2 s it hears nobody")
	}
	w.run(300 * time.Millisecond)
	w.HearPacket(w.now, w.peerOf(legacyID(9)))
	if !w.HearsNobody(w.now) {
		t.Error("a gwyh 0.1 node counts")
	}
	w.hear(2)
	if w.HearsNobody(w.now) {
		t.Error("a Go node does not count")
	}
}

func TestSilenceOfAllEndsWithThePacketThatIsHeard(t *testing.T) {
	w := newLinked(t, 2)
	w.silence(1, 2)
	w.run(3 * time.Second)
	w.do(w.HandleTimeout(nil, w.now, true))
	next, out := w.Tick(nil, w.now, w.peer(1))
	w.do(out)
	if !next.After(w.now) {
		t.Errorf("next tick at %v", next)
	}
	w.run(time.Second) // the probe fails
	if len(w.all(NobodyHeard)) != 1 {
		t.Fatalf("%d lines that it hears nobody", len(w.all(NobodyHeard)))
	}
	silence, again := w.HearPacket(w.now, w.peer(2))
	if !again {
		t.Error("not told that it hears others again")
	}
	if silence < 3*time.Second || silence > 5*time.Second {
		t.Errorf("after %v", silence)
	}
	if _, again := w.HearPacket(w.now, w.peer(2)); again {
		t.Error("told twice")
	}
}

func TestAccusedPeerThatIsHeardIsNotifiedAtMostEvery250Milliseconds(t *testing.T) {
	w := newLinked(t, 4)
	p := w.peer(1)
	if w.AccusedOf(p) != nil {
		t.Error("nobody is accused")
	}
	w.accuse(2, 1)
	if m := w.AccusedOf(p); m != w.entry(1) {
		t.Errorf("%v", m)
	}
	if w.AccusedOf(w.peer(3)) != nil {
		t.Error("another one is taken for the accused")
	}
	told := 0
	for range 100 {
		if w.MayNotify(w.now, p) {
			told++
		}
		w.now = w.now.Add(10 * time.Millisecond)
	}
	if told != 4 {
		t.Errorf("told %d times in a second", told)
	}
}

func TestDeadPeerThatIsHeardIsNotified(t *testing.T) {
	w := newLinked(t, 4)
	w.fail(w.entry(1))
	if w.AccusedOf(w.peer(1)) != w.entry(1) {
		t.Error("it is not told")
	}
	if w.AccusedOf(w.peerOf(goID(77))) != nil {
		t.Error("a stranger is told")
	}
}

// A node whose timers were late did not read packets either (PROTOCOL.md V7).
func TestPauseOfThisNodeDelaysSilenceProbesAndDecisions(t *testing.T) {
	w := newLinked(t, 8)
	w.accuse(2, 1)
	before := w.suspicions[goID(1)].began
	w.startProbe(w.now, w.entry(3), false)
	w.now = w.now.Add(20 * time.Second)
	w.HandlePause(w.now, 20*time.Second)
	if w.Health() != 1 {
		t.Errorf("health %d", w.Health())
	}
	if got := w.suspicions[goID(1)].began.Sub(before); got != 20*time.Second {
		t.Errorf("the suspicion was put off by %v", got)
	}
	for i := 1; i <= 8; i++ {
		if got := w.now.Sub(w.peer(i).Heard); got > w.peer(i).Check() {
			t.Errorf("peer %d is silent for %v", i, got)
		}
	}
	if w.HearsNobody(w.now) {
		t.Error("it hears nobody")
	}
	if at := w.probes[0].timer.At(); at != w.now.Add(time.Second) { // twice ProbeTimeout, because the node's health is bad
		t.Errorf("the probe goes on after %v", at.Sub(w.now))
	}
	if !w.entry(1).Live() {
		t.Error("the accused is dead")
	}
}

func TestPacketsCostNoMemory(t *testing.T) {
	w := newLinked(t, 4)
	p := w.peer(1)
	out := make([]Action, 0, 8)
	if n := testing.AllocsPerRun(1000, func() {
		w.now = w.now.Add(time.Millisecond)
		w.HearPacket(w.now, p)
		out = w.HearReport(out[:0], w.now, p, 0, 0)
		w.AccusedOf(p)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestLinkEndsTheTalkOfDeafness(t *testing.T) {
	w := newLinked(t, 3)
	p := w.peer(1)
	w.do(w.HearReport(nil, w.now, p, time.Minute, 0))
	if p.deafSince.IsZero() {
		t.Fatal("it is not taken for deaf")
	}
	w.LinkDown(p)
	if !p.deafSince.IsZero() || len(w.links) != 2 {
		t.Errorf("deaf since %v, %d links", p.deafSince, len(w.links))
	}
	w.RemovePeer(p)
	if w.peers[goID(1)] != nil {
		t.Error("the peer is kept")
	}
}

func TestLinkWorksOnlyWithAMemberThatIsNotAccused(t *testing.T) {
	w := newLinked(t, 3)
	if !w.linkWorks(w.now, w.peer(1)) {
		t.Error("a link with a member does not work")
	}
	w.do(w.Accuse(nil, w.now, w.entry(1), w.entry(1).Incarnation, goID(0), nil))
	if w.linkWorks(w.now, w.peer(1)) {
		t.Error("a link works although this node accuses its peer")
	}
	w.accuse(3, 2)
	if !w.linkWorks(w.now, w.peer(2)) {
		t.Error("the accusation by another node counts")
	}
	w.LinkUp(w.now, w.peerOf(goID(50)))
	if w.linkWorks(w.now, w.peerOf(goID(50))) {
		t.Error("a link with a stranger works")
	}
	w.members.Remove(w.now, w.entry(3))
	if w.entry(3).State = wire.StateDead; w.linkWorks(w.now, w.peer(3)) {
		t.Error("a link with a dead member works")
	}
}
