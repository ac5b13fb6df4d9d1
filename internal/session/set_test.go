package session

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// bench has two sets without a network between them.
type bench struct {
	source    *rand.ChaCha8
	now       time.Time
	low, high *Set
}

func newBench() *bench {
	source := random(7)
	return &bench{source: source, now: epoch, low: NewSet(lowID, highID, source), high: NewSet(highID, lowID, source)}
}

// add gives both sets their end of a new session.
func (b *bench) add(lowInitiates bool) (low, high *Session) {
	p, q := params(b.source, b.now, lowInitiates, Null)
	low, high = New(b.now, p), New(b.now, q)
	b.low.Add(b.now, low)
	b.high.Add(b.now, high)
	return low, high
}

// confirmed gives both sets a session that is confirmed at once.
func (b *bench) confirmed(lowInitiates bool) (low, high *Session) {
	low, high = b.add(lowInitiates)
	b.low.Confirm(b.now, low)
	b.high.Confirm(b.now, high)
	return low, high
}

// linkedBench returns a bench with a session that carries a link.
func linkedBench() (b *bench, low, high *Session) {
	b = newBench()
	low, high = b.confirmed(true)
	b.low.SetLinked(b.now, true)
	b.high.SetLinked(b.now, true)
	return b, low, high
}

// pass lets d pass and returns the actions that the lower id's set requested in that time.
func (b *bench) pass(t *testing.T, d time.Duration) (all Actions) {
	t.Helper()
	return pass(t, b.low, &b.now, b.now.Add(d))
}

func pass(t *testing.T, set *Set, now *time.Time, until time.Time) (all Actions) {
	t.Helper()
	for next := set.NextTimeout(); !next.IsZero() && !next.After(until); next = set.NextTimeout() {
		if next.After(*now) {
			*now = next
		}
		a := set.HandleTimeout(*now)
		all.Closed = append(all.Closed, a.Closed...)
		all.Probes = append(all.Probes, a.Probes...)
		all.Renew = all.Renew || a.Renew
		all.PathChanged = all.PathChanged || a.PathChanged
		if again := set.NextTimeout(); !again.IsZero() && !again.After(*now) {
			t.Fatalf("after HandleTimeout at %v the next is at %v", *now, again)
		}
	}
	*now = until
	return all
}

// carry seals text under from and opens it under to, and reports the box to to's set with the given source.
func (b *bench) carry(t *testing.T, from, to *Session, set *Set, source wire.Path) (confirmed bool) {
	t.Helper()
	p := parse(t, from.Seal(b.now, nil, []byte("text")))
	if _, err := to.Open(b.now, p); err != nil {
		t.Fatal(err)
	}
	return set.Opened(b.now, to, source)
}

// wantClosed fails the test unless exactly s was closed, for reason.
func wantClosed(t *testing.T, a Actions, s *Session, reason Reason) {
	t.Helper()
	if len(a.Closed) != 1 || a.Closed[0] != (Closed{s, reason}) {
		t.Fatalf("closed %v, want one as %v", a.Closed, reason)
	}
	switch {
	case !s.Closed():
		t.Error("the session is not closed")
	case s.send != [32]byte{}:
		t.Errorf("the sending key is %v, want %v", s.send, [32]byte{})
	case s.recv != [32]byte{}:
		t.Errorf("the receiving key is %v, want %v", s.recv, [32]byte{})
	}
}

// PROTOCOL.md S7.
func TestNothingIsSealedUnderASessionBeforeABoxOpened(t *testing.T) {
	b := newBench()
	low, high := b.add(true)
	if b.high.Current(b.now) != nil {
		t.Error("current before it is confirmed")
	}
	switch {
	case !b.carry(t, low, high, b.high, lowPath):
		t.Error("the first box does not confirm the session")
	case !high.Confirmed():
		t.Error("the session of the higher node is not confirmed")
	case b.high.Current(b.now) != high:
		t.Errorf("the higher node seals under %v, want %v", b.high.Current(b.now), high)
	}
	if b.carry(t, low, high, b.high, lowPath) {
		t.Error("the second box confirms again")
	}
}

func TestUnconfirmedSessionEndsAfterHalfAMinute(t *testing.T) {
	b := newBench()
	low, _ := b.add(true)
	if a := b.pass(t, 30*time.Second-1); len(a.Closed) > 0 {
		t.Fatal("it ended early")
	}
	wantClosed(t, b.pass(t, 1), low, Unconfirmed)
}

func TestTheSessionConfirmedLastIsSealedUnder(t *testing.T) {
	b := newBench()
	b.confirmed(true)
	b.now = b.now.Add(10*time.Second + 1)
	low, high := b.confirmed(false)
	if b.low.Current(b.now) != low || b.high.Current(b.now) != high {
		t.Error("an older one is")
	}
}

// PROTOCOL.md S8.
func TestOfSessionsConfirmedWithinTenSecondsBothSidesChooseTheSame(t *testing.T) {
	rng := rand.New(random(8))
	for range 500 {
		b := newBench()
		n := 2 + rng.IntN(MaxSessions-1)
		var ends [2][]*Session
		lowest := false
		for range n {
			lowInitiates := rng.IntN(2) == 0
			lowest = lowest || lowInitiates
			low, high := b.add(lowInitiates)
			ends[0], ends[1] = append(ends[0], low), append(ends[1], high)
			b.now = b.now.Add(time.Duration(rng.IntN(2)) * time.Millisecond)
		}
		for i, set := range []*Set{b.low, b.high} {
			now := b.now
			for _, k := range rng.Perm(n) {
				set.Confirm(now, ends[i][k])
				now = now.Add(time.Duration(rng.Int64N(int64(3 * time.Second))))
			}
		}
		now := b.now.Add(10 * time.Second)
		low, high := b.low.Current(now), b.high.Current(now)
		if low.Prefix() != high.Prefix() {
			t.Fatalf("the two sides chose differently among %d", n)
		}
		if low.Initiator() != lowest {
			t.Fatalf("of %d sessions the lower id's was not chosen", n)
		}
	}
}

func TestSupersededSessionEndsWhenNothingOpenedUnderItForHalfAMinute(t *testing.T) {
	b, old, oldHigh := linkedBench()
	b.now = b.now.Add(time.Hour / 2)
	b.confirmed(true)
	for range 10 {
		if a := b.pass(t, 29*time.Second); len(a.Closed) > 0 {
			t.Fatalf("closed %v though its boxes came", a.Closed)
		}
		b.carry(t, oldHigh, old, b.low, highPath)
	}
	if a := b.pass(t, 30*time.Second-1); len(a.Closed) > 0 {
		t.Fatal("it ended early")
	}
	wantClosed(t, b.pass(t, 1), old, Superseded)
	if b.low.Len() != 1 || b.low.Current(b.now) == nil {
		t.Error("the other one is gone too")
	}
}

// PROTOCOL.md S11.
func TestANodeHasAtMostFourSessionsAndTheLeastUsedGivesWay(t *testing.T) {
	b, first, _ := linkedBench()
	b.now = b.now.Add(time.Minute)
	current, _ := b.confirmed(true)
	b.now = b.now.Add(time.Second)
	third, _ := b.add(true)
	b.now = b.now.Add(time.Second)
	fourth, _ := b.add(true)
	for _, want := range []*Session{first, third, fourth} {
		b.now = b.now.Add(time.Second)
		p, _ := params(b.source, b.now, true, Null)
		evicted := b.low.Add(b.now, New(b.now, p))
		switch {
		case len(evicted) != 1:
			t.Fatalf("len(evicted) is %d, want 1: %v", len(evicted), evicted)
		case evicted[0] != want:
			t.Fatalf("session %v gave way, want %v", evicted[0], want)
		case !want.Closed():
			t.Fatal("the session that gave way is not closed")
		case b.low.Len() != MaxSessions:
			t.Fatalf("the lower node has %v sessions, want %v", b.low.Len(), MaxSessions)
		}
	}
	if b.low.Current(b.now) != current {
		t.Error("the current one gave way")
	}
}

func TestOldestGivesWayWhereNoneIsConfirmed(t *testing.T) {
	b := newBench()
	var all []*Session
	for i := range 10 {
		p, _ := params(b.source, b.now, true, Null)
		all = append(all, New(b.now, p))
		b.low.Add(b.now, all[i])
		b.now = b.now.Add(time.Second)
	}
	for i := range b.low.Len() {
		if b.low.At(i) != all[6+i] {
			t.Errorf("session %d is another one", i)
		}
	}
}

// PROTOCOL.md S9.
func TestSessionWithoutLinkEndsAfterThirtySecondsWithoutTraffic(t *testing.T) {
	b := newBench()
	low, high := b.confirmed(true)
	b.pass(t, 15*time.Second)
	b.carry(t, high, low, b.low, highPath)
	b.pass(t, 20*time.Second)
	b.carry(t, low, high, b.high, lowPath)
	if a := b.pass(t, 30*time.Second-1); len(a.Closed) > 0 {
		t.Fatal("it ended early")
	}
	wantClosed(t, b.pass(t, 1), low, Idle)
	if b.low.Len() != 0 || !b.low.NextTimeout().IsZero() {
		t.Error("the set still waits for something")
	}
}

func TestSessionWithLinkIsNeverIdle(t *testing.T) {
	b, low, _ := linkedBench()
	if a := b.pass(t, 50*time.Minute); len(a.Closed) > 0 || b.low.Current(b.now) != low {
		t.Fatalf("closed %v", a.Closed)
	}
	b.low.SetLinked(b.now, false)
	if a := b.pass(t, 30*time.Second-1); len(a.Closed) > 0 {
		t.Fatal("without link it ended at once")
	}
	wantClosed(t, b.pass(t, 1), low, Idle)
}

// PROTOCOL.md S9.
func TestNothingIsSealedWithoutLinkOnceThePeerWasSilentForLong(t *testing.T) {
	b := newBench()
	low, high := b.confirmed(true)
	b.pass(t, 20*time.Second)
	if b.low.Current(b.now) != low {
		t.Error("not after 20 s")
	}
	b.pass(t, time.Second)
	if b.low.Current(b.now) != nil {
		t.Error("still after 21 s")
	}
	b.carry(t, high, low, b.low, highPath)
	if b.low.Current(b.now) != low {
		t.Error("not after the peer was heard again")
	}
}

func TestRemovedSessionsAreClosedAndTheNextIsSealedUnder(t *testing.T) {
	b, first, _ := linkedBench()
	b.now = b.now.Add(11 * time.Second)
	second, _ := b.confirmed(true)
	b.low.Remove(b.now, second)
	if !second.Closed() || b.low.Current(b.now) != first {
		t.Error("the first one does not take over")
	}
	switch all := b.low.RemoveAll(b.now); {
	case len(all) != 1:
		t.Errorf("len(all) is %d, want 1: %v", len(all), all)
	case all[0] != first:
		t.Errorf("the first session is %v, want %v", all[0], first)
	case !first.Closed():
		t.Error("the first session is not closed")
	}
	switch {
	case b.low.Len() != 0:
		t.Errorf("the lower node has %v sessions, want 0", b.low.Len())
	case b.low.Current(b.now) != nil:
		t.Errorf("the lower node seals under %v, want nil", b.low.Current(b.now))
	case !b.low.NextTimeout().IsZero():
		t.Errorf("the next timeout of the lower node is at %v, want zero", b.low.NextTimeout())
	}
}

func TestLastOpenedIsThatOfAnySession(t *testing.T) {
	b, low, high := linkedBench()
	if !b.low.LastOpened().IsZero() {
		t.Error("nothing opened yet")
	}
	b.pass(t, time.Minute)
	b.carry(t, high, low, b.low, highPath)
	opened := b.now
	b.confirmed(true)
	b.pass(t, time.Second)
	if got := b.low.LastOpened(); got != opened {
		t.Errorf("%v, want %v", got, opened)
	}
}

// legacyBench returns two confirmed legacy sessions. The one with the older Hello was completed last.
func legacyBench() (b *bench, newer, older *Session) {
	b = newBench()
	p, _ := params(b.source, b.now.Add(time.Second), true, NaCl)
	q, _ := params(b.source, b.now, false, NaCl)
	p.Legacy, q.Legacy, q.Path = true, true, path("10.9.9.9:1")
	newer, older = New(b.now, p), New(b.now, q)
	b.low.Add(b.now, newer)
	b.low.Confirm(b.now, newer)
	b.now = b.now.Add(20 * time.Second)
	b.low.Add(b.now, older)
	b.low.Confirm(b.now, older)
	return b, newer, older
}

func TestLegacySessionWithTheNewestHelloIsSealedUnderWhicheverEndedLast(t *testing.T) {
	b, newer, older := legacyBench()
	if b.low.Current(b.now) != newer || b.low.Path() != newer.Path() {
		t.Error("the older Hello's is")
	}
	b.low.SetLinked(b.now, true)
	if a := b.pass(t, 30*time.Second-1); len(a.Closed) > 0 {
		t.Error("the other does not open for 30 s")
	}
	wantClosed(t, b.pass(t, 1), older, Superseded)
}

func TestLegacySessionIsNeitherRenewedNorProbedNorTooOld(t *testing.T) {
	b, newer, _ := legacyBench()
	b.low.SetLinked(b.now, true)
	b.low.CheckPath(b.now)
	b.low.RenewBy(b.now, b.now)
	a := b.pass(t, 72*time.Hour)
	switch {
	case a.Renew:
		t.Error("a renewal is asked for")
	case len(a.Probes) > 0:
		t.Errorf("%v probes are asked for, want 0", len(a.Probes))
	case len(a.Closed) != 1:
		t.Errorf("%v sessions were closed, want 1", len(a.Closed))
	case b.low.Current(b.now) != newer:
		t.Errorf("the lower node seals under %v, want %v", b.low.Current(b.now), newer)
	}
}

func TestLegacyPathIsThatOfTheHandshakeSealedUnder(t *testing.T) {
	b, newer, _ := legacyBench()
	newer.openedAt, newer.newest = b.now, true
	b.low.Opened(b.now, newer, path("10.8.8.8:8"))
	if b.low.Path() != newer.Path() {
		t.Error("the source of a box moved it")
	}
	p, _ := params(b.source, b.now.Add(time.Minute), true, NaCl)
	p.Legacy, p.Path = true, path("10.7.7.7:7")
	s := New(b.now, p)
	b.low.Add(b.now, s)
	b.low.Confirm(b.now, s)
	if b.low.Path() != p.Path {
		t.Error("a newer handshake did not move it")
	}
}

func TestReportingBoxesAndAskingForTheSessionDoNotAllocate(t *testing.T) {
	b, low, high := linkedBench()
	b.carry(t, high, low, b.low, highPath)
	n := testing.AllocsPerRun(100, func() {
		b.low.Opened(b.now, low, highPath)
		switch {
		case b.low.Current(b.now) != low:
			t.Errorf("the lower node seals under %v, want %v", b.low.Current(b.now), low)
		case b.low.NextTimeout().IsZero():
			t.Error("the lower node has no timeout")
		case b.low.Path() != highPath:
			t.Errorf("the lower node sends to %v, want %v", b.low.Path(), highPath)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReasonsHaveNames(t *testing.T) {
	for r, want := range map[Reason]string{Unconfirmed: "unconfirmed", Superseded: "superseded", Idle: "idle", Expired: "expired", 0: "unknown"} {
		if r.String() != want {
			t.Errorf("%d is %q, want %q", r, r, want)
		}
	}
}

func TestEarlySessionIsSealedUnderWhileTheConfirmedOneIsSilentForLong(t *testing.T) {
	b := newBench()
	old, _ := b.confirmed(true)
	b.pass(t, sealingEnd+time.Second)
	early, _ := b.add(true)
	early.p.Path.Remote = netip.MustParseAddrPort("192.0.2.77:7000")
	if b.low.SealEarly(early); b.low.Current(b.now) != early || b.low.Path() != early.p.Path {
		t.Fatal("nothing is sealed under the early session, or nothing goes to where its handshake was answered")
	}
	if b.low.Confirm(b.now, early); b.low.Current(b.now) != early || old.Closed() {
		t.Fatal("the early session is not the current one when it is confirmed")
	}
	b.pass(t, sealingEnd+time.Second)
	if b.low.Current(b.now) != nil {
		t.Error("the session that was early is sealed under although it was silent for long")
	}
}

func TestNothingIsSealedUnderARetiredSessionButItStillOpensBoxes(t *testing.T) {
	b := newBench()
	low, high := b.confirmed(true)
	early, _ := b.add(true)
	b.low.SealEarly(early)
	sent := low.sent
	b.low.Retire(b.now)
	switch {
	case b.low.Current(b.now) != nil:
		t.Error("there is still a session to seal under")
	case len(low.Seal(b.now, nil, []byte("x"))) != 0 || len(early.Seal(b.now, nil, []byte("x"))) != 0 || low.sent != sent:
		t.Error("a retired session seals")
	case low.send != [32]byte{}:
		t.Error("the key of a retired session is there")
	case !b.carry(t, high, low, b.low, highPath) && !low.Confirmed():
		t.Error("a retired session opens nothing")
	}
	fresh, _ := b.confirmed(false)
	if b.low.Current(b.now) != fresh {
		t.Error("the session that was made afterwards is not sealed under")
	}
}
