package legacy

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestPeerThatIsHeardBecomesAMemberAndIsSubscribedTo(t *testing.T) {
	w := newWorld(t)
	p := w.peer(1)
	w.do(w.g.Ready(w.out, w.now, w, &w.table, p))
	w.wantLog("ping old-1")
	w.hear(p)
	w.wantLog("introduce old-1", "announce old-1 up true", "subscribe to old-1")
	m := w.table.Get(p.id)
	if m == nil {
		t.Fatal("it is no member")
	}
	if want := "gwyh01-10.0.3.233:6969"; m.Name != want {
		t.Errorf("its name is %q, want %q", m.Name, want)
	}
	if m.Incarnation != millis(w.now) {
		t.Errorf("its incarnation is %d, want the time %d", m.Incarnation, millis(w.now))
	}
}

func TestPeerOfWhichNothingComesIsAskedForASignOfLifeAFewTimes(t *testing.T) {
	w := newWorld(t)
	w.do(w.g.Ready(w.out, w.now, w, &w.table, w.peer(1)))
	w.run(time.Minute)
	if got := w.count("ping"); got != strangerTries || len(w.log) != got {
		t.Errorf("%q", w.log)
	}
}

func TestPeerThatHasJustGivenASignOfLifeIsNotAsked(t *testing.T) {
	w := newWorld(t)
	w.refuses = true
	p := w.peer(1)
	w.hear(p)
	w.wantLog("introduce old-1")
	w.do(w.g.Ready(w.out, w.now, w, &w.table, p))
	w.wantLog()
	w.run(1100 * time.Millisecond)
	w.wantLog("ping old-1")
}

func TestCourtOfAPeerThatIsGoneEnds(t *testing.T) {
	w := newWorld(t)
	p := w.peer(1)
	w.do(w.g.Ready(w.out, w.now, w, &w.table, p))
	w.g.RemovePeer(p)
	w.run(time.Minute)
	w.wantLog("ping old-1")
}

func TestPeerThatIsDecidedAboutOrKeptOutIsNotIntroduced(t *testing.T) {
	for what, change := range map[string]func(w *world, c *Contact){
		"undecided":      func(_ *world, c *Contact) { c.Undecided = true },
		"vetoed":         func(_ *world, c *Contact) { c.Vetoed = true },
		"this node left": func(w *world, _ *Contact) { w.table.Leave(w.now) },
	} {
		w := newWorld(t)
		p := w.peer(1)
		change(w, w.contact[p.id])
		if w.hear(p); len(w.log) != 0 {
			t.Errorf("%s: %q", what, w.log)
		}
	}
}

func TestLegacyMembersAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range MembersMax {
		w.member(100 + i)
	}
	w.hear(w.peer(1))
	w.wantLog()
	if w.g.Stats.Excess != 1 {
		t.Errorf("%+v", w.g.Stats)
	}
	if v := w.weigh(w.entry(2, wire.StateAlive, millis(w.now))); v != Done || w.g.Stats.Excess != 2 {
		t.Errorf("verdict %d, %+v", v, w.g.Stats)
	}
}

func TestDeadMemberThatIsHeardComesBackAfterAMoment(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	m := w.table.Get(p.id)
	before := m.Incarnation
	w.do(w.g.declareDead(w.out, w.now, &w.table, m, m.Incarnation))
	w.hear(p)
	w.wantLog("dead old-1")
	w.now = w.now.Add(revive)
	w.contact[p.id].Subscribing = false
	w.hear(p)
	w.wantLog("introduce old-1", "announce old-1 up true", "shake hands with old-1")
	if !m.Live() || m.Incarnation <= before {
		t.Errorf("%+v", m)
	}
}

func TestGoNodeThatHearsAMemberRenewsItsIncarnationWithItsLease(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	m := w.table.Get(p.id)
	w.now = w.now.Add(Lease - time.Second)
	w.hear(p)
	w.wantLog()
	w.now = w.now.Add(Lease/4 + 2*time.Second)
	w.hear(p)
	w.wantLog("renewed old-1")
	if m.Incarnation != millis(w.now) {
		t.Errorf("incarnation %d at %d", m.Incarnation, millis(w.now))
	}
	w.hear(p)
	w.wantLog()
}

func TestLeasesOfPeersDiffer(t *testing.T) {
	w := newWorld(t)
	leases := map[time.Duration]bool{}
	for i := range 10 {
		l := w.peer(i).lease
		leases[l] = true
		if l < Lease || l >= Lease+Lease/4 {
			t.Errorf("a lease of %v", l)
		}
	}
	if len(leases) != 10 {
		t.Errorf("%d different leases", len(leases))
	}
}

func TestLinksAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range LinksMax {
		w.g.SetLinked(w.peer(100+i), true)
	}
	w.member(1)
	p := w.peer(1)
	w.do(w.g.Ready(w.out, w.now, w, &w.table, p))
	w.wantLog()
	w.receive(p, wire.AppendRequest(nil, wire.MessageID{}, wire.KindStartSubscription))
	w.wantLog()
	if w.g.Stats.Excess != 1 {
		t.Errorf("%+v", w.g.Stats)
	}
}

// PROTOCOL.md L4.
func TestStartSubscriptionIsAnsweredAtABoundedRate(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	for range 100 {
		w.receive(p, wire.AppendRequest(nil, wire.MessageID{}, wire.KindStartSubscription))
	}
	if got := w.count("SubscriptionStarted to old-1"); got != StartRate.Burst || w.g.Stats.Excess != uint64(100-StartRate.Burst) {
		t.Errorf("%d answers, %+v", got, w.g.Stats)
	}
	if !w.contact[p.id].Subscriber {
		t.Error("it is no subscriber")
	}
}

func TestStartSubscriptionOfAStrangerIsNotAnswered(t *testing.T) {
	w := newWorld(t)
	w.receive(w.peer(1), wire.AppendRequest(nil, wire.MessageID{}, wire.KindStartSubscription))
	w.wantLog()
}

func TestNodeThatLeftAnswersNoStartSubscription(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.table.Leave(w.now)
	w.receive(p, wire.AppendRequest(nil, wire.MessageID{}, wire.KindStartSubscription))
	w.wantLog()
}

func TestSilentPeerIsPingedThenCheckedThenLost(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.watch(p, silenceCheck)
	w.wantLog()
	w.watch(p, time.Millisecond)
	w.wantLog("ping old-1", "shake hands with old-1")
	w.watch(p, askAfter-silenceCheck)
	if w.count("ping") < 3 || w.count("ask about old-1 by go-0") != 1 {
		t.Errorf("%q", w.log)
	}
	w.log = nil
	w.watch(p, Silence-askAfter)
	w.wantCounts(map[string]int{"dead old-1": 1, "end the link with old-1": 1, "ask": 0})
	w.log = nil
	w.run(revive)
	w.wantLog("announce old-1 up false")
}

func TestPeerThatIsOnceHeardAgainIsAskedAboutInItsNextSilence(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.watch(p, askAfter+time.Millisecond)
	w.hear(p)
	w.log = nil
	w.watch(p, askAfter+time.Second)
	if w.count("ask about old-1") != 1 {
		t.Errorf("%q", w.log)
	}
}

func TestSilentPeerThatOthersVouchForIsAvoidedAndNotAccused(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.watch(p, askAfter+time.Millisecond)
	m := w.table.Get(p.id)
	w.table.SetIncarnation(m, m.Incarnation+1)
	w.watch(p, Silence)
	w.wantCounts(map[string]int{"dead": 0, "avoid old-1": 1, "end the link with old-1": 1})
}

func TestPeerWithoutALinkIsNotWatched(t *testing.T) {
	w := newWorld(t)
	p := w.peer(1)
	if out, next := w.g.Tick(w.out, w.now.Add(time.Hour), w, &w.table, p); len(out) != 0 || !next.IsZero() {
		t.Errorf("%d outcomes, next %v", len(out), next)
	}
}

func TestSubscriberIsWatchedForSilenceOnly(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	c := w.contact[p.id]
	c.Subscribing, c.Subscriber = false, true
	for range 20 { // no heartbeat arrives, but other packets do
		w.now = w.now.Add(5 * time.Second)
		w.hear(p)
		out, next := w.g.Tick(w.out, w.now, w, &w.table, p)
		if w.do(out); !next.Equal(w.now.Add(silenceCheck)) {
			t.Fatalf("next after %v", next.Sub(w.now))
		}
	}
	w.wantLog()
}

func TestPeerWithoutHeartbeatsIsShakenHandsWithMoreAndMoreRarelyAndSubscribedToAnew(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.table.SetIncarnation(w.table.Get(p.id), millis(w.now.Add(time.Hour))) // so that no incarnation is renewed
	var shakes []time.Duration
	for range 40 * 60 {
		w.now = w.now.Add(time.Second)
		w.hear(p) // it sends packets, but no heartbeats
		out, _ := w.g.Tick(w.out, w.now, w, &w.table, p)
		w.do(out)
		if w.count("shake hands") > 0 {
			shakes = append(shakes, w.now.Sub(begin))
		}
		w.log = nil
	}
	if shakes[0] != Silence {
		t.Errorf("the first handshake is at %v, want %v", shakes[0], Silence)
	}
	if len(shakes) < 8 || len(shakes) > 16 {
		t.Errorf("%d handshakes, want 8 to 16: at %v", len(shakes), shakes)
	}
	if last := shakes[len(shakes)-1] - shakes[len(shakes)-2]; last < handshakePauseMax || last > handshakePauseMax+time.Second {
		t.Errorf("%v between the last two", last)
	}
	w.do(w.g.Ready(w.out, w.now, w, &w.table, p))
	w.wantLog("subscribe to old-1 again")
	w.do(w.g.Ready(w.out, w.now, w, &w.table, p))
	w.wantLog()
}

func TestHeartbeatShowsThatThePeerHasNotForgotten(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	for range 100 {
		w.now = w.now.Add(Interval)
		w.hear(p)
		w.receive(p, wire.AppendRequest(nil, wire.MessageID{}, wire.KindHeartbeat))
		out, _ := w.g.Tick(w.out, w.now, w, &w.table, p)
		w.do(out)
	}
	if w.count("shake") != 0 {
		t.Errorf("%q", w.log)
	}
	w.log = nil
	w.do(w.g.Ready(w.out, w.now, w, &w.table, p))
	w.wantLog()
}

func TestHandshakeInProgressIsNotBegunAgain(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.dialing[p.id] = true
	w.watch(p, Silence-time.Millisecond)
	if w.count("shake") != 0 || w.count("ping") == 0 {
		t.Errorf("%q", w.log)
	}
}

func TestIntroducedOfANodeThatIsNoMemberDoesNothing(t *testing.T) {
	w := newWorld(t)
	w.do(w.g.Introduced(w.out, w.now, w, &w.table, w.peer(1)))
	w.wantLog()
}

func TestNameOfAnAddressIsUnmapped(t *testing.T) {
	w := newWorld(t)
	p := w.peer(1)
	w.contact[p.id].Remote = netipMapped(addr(1001))
	w.hear(p)
	if m := w.table.Named(Name(addr(1001))); m == nil || m.Addr != addr(1001) {
		t.Errorf("%+v", m)
	}
}

func TestMemberKeepsTheTimeOfItsNameWhenItComesBack(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	m := w.table.Get(p.id)
	named := m.Named
	w.do(w.g.declareDead(w.out, w.now, &w.table, m, m.Incarnation))
	w.now = w.now.Add(time.Minute)
	w.hear(p)
	if !m.Live() || m.Named != named {
		t.Errorf("named %d, before %d", m.Named, named)
	}
}

func TestJobsAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 2 * JobsMax {
		w.do(w.g.Ready(w.out, w.now, w, &w.table, w.peer(i)))
	}
	if jobs, _ := w.g.Load(); jobs != JobsMax || w.g.Stats.Excess != JobsMax {
		t.Errorf("%d jobs, %+v", jobs, w.g.Stats)
	}
}

func TestJobsRunInTheOrderOfTheirTimesThenOfTheirCreation(t *testing.T) {
	w := newWorld(t)
	var got []int
	for i, after := range []time.Duration{3, 1, 2, 1, 3} {
		w.g.later(w.now, after, job{task: pingStranger, tries: i})
	}
	for _, c := range w.g.jobs {
		got = append(got, c.tries)
	}
	if want := []int{1, 3, 2, 0, 4}; !slices.Equal(got, want) {
		t.Errorf("jobs in the order %v, want %v", got, want)
	}
	if !w.g.TimerChanged() || w.g.TimerChanged() {
		t.Error("the timer is to be set other than once")
	}
	if at := w.g.NextTimeout(); !at.Equal(w.now.Add(1)) {
		t.Errorf("due at %v", at)
	}
	if out := w.g.HandleTimeout(w.out, w.now, w, &w.table); len(out) != 0 || len(w.g.jobs) != 5 {
		t.Error("a job was done before its time")
	}
}

func TestTimeoutWithoutJobsDoesNothing(t *testing.T) {
	w := newWorld(t)
	if out := w.g.HandleTimeout(w.out, w.now, w, &w.table); len(out) != 0 || !w.g.NextTimeout().IsZero() {
		t.Errorf("%d outcomes, due at %v", len(out), w.g.NextTimeout())
	}
}

// PROTOCOL.md L9.
func TestEachMemberHasTheSameFewGates(t *testing.T) {
	const nodes = 20
	tables := make([]members.Table, nodes)
	for i := range tables {
		tables[i] = members.NewTable(begin, members.Config{Self: members.Member{ID: goID(i), Name: "self", Addr: addr(i)}})
		for k := range nodes {
			if k != i {
				m := members.NewEntry(goID(k))
				m.Name = string(rune('a' + k))
				tables[i].Add(m)
			}
		}
	}
	for i := range 50 {
		m := members.NewEntry(legacyID(i))
		gates := 0
		for k := range tables {
			if IsGate(&tables[k], m) {
				gates++
			}
		}
		if gates != Gates {
			t.Errorf("member %d has %d gates", i, gates)
		}
	}
}

func TestNodeSubscribesToTheMembersThatItIsAGateOf(t *testing.T) {
	w := newWorld(t)
	w.member(1)
	p := w.peer(2)
	w.member(2)
	w.hear(p)
	w.member(3)
	w.avoided[legacyID(3)] = true
	w.member(4)
	w.dialing[legacyID(4)] = true
	w.peer(4)
	w.contact[legacyID(4)].Heard = w.now.Add(-Silence)
	w.member(5)
	w.peer(5)
	w.contact[legacyID(5)].Heard = w.now.Add(-Silence)
	w.member(6)
	w.peer(6)
	w.contact[legacyID(6)].Subscribing = true
	w.log = nil
	w.do(w.g.Choose(w.out, w.now, w, &w.table, Members(&w.table)))
	w.wantLog("choose old-1", "choose old-2", "avoid old-5", "dial old-5 at 10.0.3.237:6969")
}

func TestNodeThatTalksToNoLegacyNodesChoosesNone(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Admits = false })
	w.member(1)
	w.do(w.g.Choose(w.out, w.now, w, &w.table, Members(&w.table)))
	w.wantLog()
	if w.g.Admits() {
		t.Error("it admits them")
	}
}

func TestMemberThatNobodyMentionsIsDeadUnlessThereIsALink(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Admits = false })
	w.member(1)
	p := w.known(2)
	w.now = w.now.Add(orphan + time.Second)
	w.do(w.g.Choose(w.out, w.now, w, &w.table, Members(&w.table)))
	w.wantLog("dead old-1")
	if !w.table.IsLive(p.id) {
		t.Error("one with a link is dead")
	}
}

func TestTableWithoutLegacyMembersListsNone(t *testing.T) {
	w := newWorld(t)
	w.goMember(1)
	if got := Members(&w.table); got != nil {
		t.Errorf("%d members", len(got))
	}
}
