package legacy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func netipMapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

func TestEntriesOfLegacyNodesAreTakenOnlyInTheFormThatAllDerive(t *testing.T) {
	for what, c := range map[string]struct {
		change func(e *wire.Member)
		want   Verdict
	}{
		"as all derive": {func(*wire.Member) {}, Alive},
		"another name":  {func(e *wire.Member) { e.Name = []byte("node-7") }, Done},
		"a departure":   {func(e *wire.Member) { e.Proof = wire.Proof{7} }, Done},
		"metadata":      {func(e *wire.Member) { e.Meta = []byte{1} }, Done},
		"a day ahead":   {func(e *wire.Member) { e.Incarnation += 90_000_000 }, Done},
		"suspect":       {func(e *wire.Member) { e.State = wire.StateSuspect }, Done},
		"left":          {func(e *wire.Member) { e.State = wire.StateLeft }, Done},
		"dead":          {func(e *wire.Member) { e.State = wire.StateDead }, Gone},
	} {
		w := newWorld(t)
		e := w.entry(1, wire.StateAlive, millis(w.now))
		c.change(e)
		if got := w.weigh(e); got != c.want {
			t.Errorf("%s: verdict %d, want %d", what, got, c.want)
		}
	}
}

func TestStaleEntryOfAComparisonShowsThatTheSenderIsBehind(t *testing.T) {
	w := newWorld(t)
	m := w.member(1)
	e := w.entry(1, wire.StateAlive, m.Incarnation-1)
	for compared, want := range map[bool]Verdict{false: Done, true: Outdated} {
		if _, got := w.g.Weigh(w.out, w.now, w, &w.table, e, goID(8), compared); got != want {
			t.Errorf("compared %t: verdict %d", compared, got)
		}
	}
	e.Incarnation = m.Incarnation
	if _, got := w.g.Weigh(w.out, w.now, w, &w.table, e, goID(8), true); got != Done {
		t.Errorf("the same: verdict %d", got)
	}
	if w.g.Stats.Stale != 3 {
		t.Errorf("%+v", w.g.Stats)
	}
}

func TestDeathOfAMemberThatThisNodeHasHeardSinceIsContradicted(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	m := w.table.Get(p.id)
	w.contact[p.id].Opened = w.now.Add(time.Second)
	if v := w.weigh(w.entry(1, wire.StateDead, m.Incarnation)); v != Done || !m.Live() {
		t.Errorf("verdict %d", v)
	}
	w.wantLog("renewed old-1")
}

func TestDeathOfAMemberWithoutASessionIsBelieved(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.contact[p.id].Session = false
	if v := w.weigh(w.entry(1, wire.StateDead, w.table.Get(p.id).Incarnation)); v != Gone {
		t.Errorf("verdict %d", v)
	}
	w.wantLog()
}

// checked returns a peer that a Go node has declared dead, and the world of the check that is in progress.
func checked(t *testing.T) (*world, *Peer) {
	w := newWorld(t)
	p := w.known(1)
	w.weigh(w.entry(1, wire.StateDead, w.table.Get(p.id).Incarnation))
	w.wantLog("ask about old-1 by go-0 except nobody", "ping old-1")
	return w, p
}

func TestPeerThatIsCalledDeadIsAskedThreeTimesBeforeItIsBelieved(t *testing.T) {
	w, p := checked(t)
	w.run(checkPings*framePause - time.Millisecond)
	w.wantLog("ping old-1", "ping old-1")
	if !w.table.IsLive(p.id) {
		t.Error("it is dead early")
	}
	w.run(2 * time.Millisecond)
	w.wantLog("dead old-1")
	w.run(revive)
	w.wantLog("announce old-1 up false")
}

func TestPacketOfAPeerEndsItsCheck(t *testing.T) {
	w, p := checked(t)
	w.run(framePause / 2)
	w.hear(p)
	w.wantLog("renewed old-1")
	w.run(time.Minute)
	w.wantLog()
	if !w.table.IsLive(p.id) {
		t.Error("it is dead")
	}
}

func TestAnotherNodeThatVouchesEndsACheck(t *testing.T) {
	w, p := checked(t)
	m := w.table.Get(p.id)
	w.table.SetIncarnation(m, m.Incarnation+1)
	w.run(time.Minute)
	if w.count("dead") != 0 || !m.Live() {
		t.Errorf("%q", w.log)
	}
}

func TestCheckOfAMemberThatIsGoneMeanwhileEnds(t *testing.T) {
	w, p := checked(t)
	m := w.table.Get(p.id)
	m.State = wire.StateDead
	w.table.Remove(w.now, m)
	w.run(time.Minute)
	if w.count("dead") != 0 {
		t.Errorf("%q", w.log)
	}
	w.g.RemovePeer(p)
}

func TestCheckDoesNotPingAPeerThatIsGone(t *testing.T) {
	w, p := checked(t)
	w.g.RemovePeer(p)
	w.run(checkPings*framePause - time.Millisecond)
	w.wantLog()
}

func TestMemberThatComesBackIsNotAnnouncedAsDown(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	m := w.table.Get(p.id)
	w.do(w.g.declareDead(w.out, w.now, &w.table, m, m.Incarnation))
	w.now = w.now.Add(revive)
	w.hear(p)
	w.log = nil
	w.run(time.Second)
	w.wantLog()
}

func TestClaimsDuringACheckAreBoundedAndPassedOnIfTrue(t *testing.T) {
	w, p := checked(t)
	for i := range 20 {
		w.status(i, 1, false)
	}
	w.wantLog()
	if len(p.check.claims) != claimsMax {
		t.Errorf("%d claims", len(p.check.claims))
	}
	w.run(checkPings * framePause)
	if w.count("pass on old-1 up false") != claimsMax-1 || w.count("dead old-1") != 1 {
		t.Errorf("%q", w.log)
	}
}

func TestCheckThatCannotEndDoesNotBegin(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	for range JobsMax {
		w.g.later(w.now, time.Hour, job{task: endAttempt})
	}
	w.weigh(w.entry(1, wire.StateDead, w.table.Get(p.id).Incarnation))
	w.wantLog()
	if p.check != nil {
		t.Error("a check goes on that nothing ends")
	}
}

// A flood of jobs does not keep this node from refuting its death, nor from telling the death of another.
func TestRefutationAndDeathAreReportedHoweverManyJobsWait(t *testing.T) {
	w := newWorld(t)
	p, q := w.known(1), w.known(2)
	w.g.SetLinked(p, true)
	for range JobsMax {
		w.g.later(w.now, time.Hour, job{task: repeatPing, peer: p, check: new(check)})
	}
	w.say(1, wire.Peer{ID: goID(0), Addr: addr(0)}, false)
	w.do(w.g.declareDead(w.out, w.now, &w.table, w.table.Get(q.id), 0))
	w.log = nil
	w.run(RefuteMax + revive)
	if w.count("shake hands with old-1") != 1 || w.count("announce old-2 up false") != 1 {
		t.Errorf("%q", w.log)
	}
}

// A query that cannot be answered yet stays open.
func TestQuestionIsAnsweredOnceThereIsRoomForTheJob(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	m := w.table.Get(p.id)
	for range JobsMax {
		w.g.later(w.now, 100*time.Millisecond, job{task: repeatPing, peer: p, check: new(check)})
	}
	before := m.Incarnation
	w.now = w.now.Add(50 * time.Millisecond)
	w.hear(p)
	w.weigh(w.entry(1, wire.StateSuspect, before))
	w.run(time.Second)
	w.hear(p)
	w.run(time.Second)
	if m.Incarnation <= before {
		t.Errorf("the query about %d has no answer: %q", before, w.log)
	}
}

// PROTOCOL.md L12.
func TestQuestionIsPassedOnAndThePeerAsked(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	m := w.table.Get(p.id)
	w.now = w.now.Add(silenceCheck)
	if v := w.weigh(w.entry(1, wire.StateSuspect, m.Incarnation)); v != Done {
		t.Errorf("verdict %d", v)
	}
	w.wantLog("ask about old-1 by go-7 except go-8", "ping old-1")
	w.now = w.now.Add(time.Second)
	w.hear(p)
	w.run(time.Second)
	w.wantLog("renewed old-1")
}

func TestSignOfLifeLongAfterAQuestionDoesNotAnswerIt(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.now = w.now.Add(silenceCheck)
	w.weigh(w.entry(1, wire.StateSuspect, w.table.Get(p.id).Incarnation))
	w.log = nil
	w.now = w.now.Add(answerFor + time.Millisecond)
	w.hear(p)
	w.run(time.Second)
	w.wantLog()
}

func TestNodeThatHasHeardAMemberVouchesSoonUnlessAnotherDoes(t *testing.T) {
	for _, another := range []bool{false, true} {
		w := newWorld(t)
		p := w.known(1)
		m := w.table.Get(p.id)
		w.now = w.now.Add(time.Second)
		w.contact[p.id].Opened, w.contact[p.id].Heard = w.now, w.now
		w.weigh(w.entry(1, wire.StateSuspect, m.Incarnation))
		w.wantLog("ask about old-1 by go-7 except go-8")
		if another {
			w.table.SetIncarnation(m, m.Incarnation+1)
		}
		w.run(vouchMax)
		if got := w.count("renewed old-1"); (got == 1) == another {
			t.Errorf("another %t: vouched %d times", another, got)
		}
	}
}

func TestQuestionOfANodeThatIsBehindIsAnsweredFromTheTable(t *testing.T) {
	w := newWorld(t)
	m := w.member(1)
	w.weigh(w.entry(1, wire.StateSuspect, m.Incarnation-1))
	w.wantLog("tell go-8 of old-1")
	out, _ := w.g.Weigh(w.out, w.now, w, &w.table, w.entry(1, wire.StateSuspect, m.Incarnation-1), wire.NodeID{}, false)
	w.do(out) // outcomes of no peer
	w.wantLog()
}

func TestQuestionAboutANodeThatIsNoMemberIsDropped(t *testing.T) {
	w := newWorld(t)
	w.weigh(w.entry(1, wire.StateSuspect, 5))
	w.wantLog()
	if w.g.Stats.Stale != 1 {
		t.Errorf("%+v", w.g.Stats)
	}
}

func TestQuestionsAboutOneMemberArePassedOnOnceASecond(t *testing.T) {
	w := newWorld(t)
	m := w.member(1)
	for range 100 {
		w.weigh(w.entry(1, wire.StateSuspect, m.Incarnation))
	}
	w.now = w.now.Add(askPause)
	w.weigh(w.entry(1, wire.StateSuspect, m.Incarnation))
	if got := w.count("ask"); got != 2 || len(w.log) != 2 {
		t.Errorf("%q", w.log)
	}
}

func TestQuestionsAboutAllMembersAreBounded(t *testing.T) {
	w := newWorld(t)
	const count = 200
	for i := range count {
		m := w.member(i)
		w.weigh(w.entry(i, wire.StateSuspect, m.Incarnation))
	}
	if got := w.count("ask"); got != questionRate.Burst || w.g.Stats.Excess != uint64(count-got) {
		t.Errorf("%d passed on, %+v", got, w.g.Stats)
	}
}

func TestQuestionAboutAPeerWithoutASessionIsOnlyPassedOn(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.contact[p.id].Session = false
	w.weigh(w.entry(1, wire.StateSuspect, w.table.Get(p.id).Incarnation))
	w.wantLog("ask about old-1 by go-7 except go-8")
}
