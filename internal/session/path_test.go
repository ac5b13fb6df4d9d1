package session

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

var elsewhere = path("192.0.2.66:666")

// quiet returns a linked world with established sessions and heartbeats.
func quiet(t *testing.T) *world {
	w := newWorld(t, 40)
	w.connect()
	w.heartbeats(time.Second)
	w.run(time.Minute)
	w.high.probes, w.low.probes = nil, nil
	return w
}

// probed returns the addresses that e requested probes of, each once, sorted.
func (e *end) probed() (all []string) {
	for _, p := range e.probes {
		all = append(all, p.To.Remote.String())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestPathIsThatOfTheHandshake(t *testing.T) {
	w := newWorld(t, 41)
	w.connect()
	if w.low.set.Path() != highPath || w.high.set.Path() != lowPath {
		t.Errorf("%v and %v", w.low.set.Path(), w.high.set.Path())
	}
}

// PROTOCOL.md R2.
func TestPathFollowsARebindingNAT(t *testing.T) {
	w := quiet(t)
	w.low.addr = elsewhere
	w.run(5 * time.Second)
	if w.high.set.Path() != elsewhere || w.high.moved != 1 {
		t.Fatalf("it is %v after %d moves", w.high.set.Path(), w.high.moved)
	}
	heard := w.low.heard
	w.run(10 * time.Second)
	if w.low.heard-heard < 9 {
		t.Errorf("%d heartbeats in ten seconds", w.low.heard-heard)
	}
	w.low.addr = lowPath
	w.run(20 * time.Second)
	if w.high.set.Path() != lowPath {
		t.Error("it does not follow back")
	}
}

func TestBehindARebindingNATThePeerIsHeardAgainWithinTwoHeartbeats(t *testing.T) {
	w := quiet(t)
	w.run(100 * time.Millisecond) // all packets in flight have arrived
	w.low.addr = elsewhere
	before := w.low.set.LastOpened()
	for w.low.set.LastOpened() == before {
		w.run(10 * time.Millisecond)
		if gap := w.now.Sub(before); gap > 2*time.Second {
			t.Fatalf("nothing is heard for %v", gap)
		}
	}
}

// race delivers a copy of each of the next n heartbeats of from before the original, from the attacker's source.
func (w *world) race(from *end, n int, source func(i int) wire.Path) {
	for i := range n {
		d := from.sealed(from.set.Current(w.now), heartbeat, 0)
		from.peer.receive(source(i), d)
		w.send(from.addr, from.peer.addr, d)
		w.run(700 * time.Millisecond)
	}
}

// PROTOCOL.md R2.
func TestSpoofedSourceNeverMovesThePath(t *testing.T) {
	w := quiet(t)
	w.race(w.low, 200, func(int) wire.Path { return elsewhere })
	w.run(10 * time.Second)
	if w.high.set.Path() != lowPath || w.high.moved > 0 {
		t.Errorf("it is %v after %d moves", w.high.set.Path(), w.high.moved)
	}
	if w.high.replays != 200 {
		t.Errorf("%d of the true boxes came second", w.high.replays)
	}
	if n := len(w.high.probes); n > 40 {
		t.Errorf("200 spoofed boxes drew %d probes", n)
	}
	if slices.Contains(w.high.probed(), elsewhere.Remote.String()) {
		t.Error("a third party was sent something though the path answers at once")
	}
}

func TestSpoofedSourceThatAnswersDoesNotMoveAPathThatAnswersToo(t *testing.T) {
	w := quiet(t)
	high := w.high
	high.set.noteSource(w.now, elsewhere)
	a := high.set.HandleTimeout(w.now)
	path := a.Probes[0].Token
	w.now = w.now.Add(300 * time.Millisecond)
	a = high.set.HandleTimeout(w.now)
	for _, p := range a.Probes {
		if p.To == elsewhere {
			high.set.ProbeAnswered(w.now, p.Token) // the attacker forwarded it to the true peer
		}
	}
	if !high.set.ProbeAnswered(w.now, path) {
		t.Fatal("the answer from the path is not taken")
	}
	for range 100 {
		w.now = w.now.Add(100 * time.Millisecond)
		if high.set.HandleTimeout(w.now).PathChanged {
			t.Fatal("the path moved")
		}
	}
}

func TestDuplicateFromAnotherSourceStartsNothing(t *testing.T) {
	w := quiet(t)
	for range 50 {
		d := w.low.sealed(w.low.set.Current(w.now), heartbeat, 0)
		w.high.receive(lowPath, d)
		w.high.receive(elsewhere, d)
		w.run(500 * time.Millisecond)
	}
	switch {
	case len(w.high.probes) > 0:
		t.Errorf("the higher node sent %v probes, want 0", len(w.high.probes))
	case w.high.set.Path() != lowPath:
		t.Errorf("the higher node sends to %v, want %v", w.high.set.Path(), lowPath)
	case w.high.replays != 50:
		t.Errorf("the higher node refused %v replays, want 50", w.high.replays)
	}
}

func TestBoxThatWasOvertakenStartsNothing(t *testing.T) {
	w := quiet(t)
	late := w.low.sealed(w.low.set.Current(w.now), heartbeat, 0)
	w.run(5 * time.Second)
	w.high.receive(elsewhere, late)
	w.run(5 * time.Second)
	if len(w.high.probes) > 0 || w.high.set.Path() != lowPath {
		t.Errorf("%d probes, path %v", len(w.high.probes), w.high.set.Path())
	}
}

func TestPathStaysWhenNothingAnswers(t *testing.T) {
	w := quiet(t)
	w.race(w.low, 1, func(int) wire.Path { return elsewhere })
	w.deaf = true
	w.high.set.noteSource(w.now, elsewhere)
	w.run(time.Minute)
	if w.high.set.Path() != lowPath || w.high.moved > 0 {
		t.Errorf("it is %v", w.high.set.Path())
	}
	if n := len(w.high.probes); n > 80 {
		t.Errorf("%d probes in a minute", n)
	}
}

func TestSilentPathMovesToTheAdvertisedAddressThatAnswers(t *testing.T) {
	w := quiet(t)
	w.low.addr = elsewhere
	w.low.set.path = path("192.0.2.1:1") // its packets are lost, so the new source stays unknown
	w.high.set.SetAdvertised(elsewhere.Remote)
	w.run(20 * time.Second)
	if w.high.set.Path() != lowPath {
		t.Fatal("it moved without being asked")
	}
	w.high.set.CheckPath(w.now)
	w.high.set.CheckPath(w.now)
	w.run(4 * time.Second)
	if w.high.set.Path() != elsewhere || w.high.moved != 1 {
		t.Errorf("it is %v", w.high.set.Path())
	}
}

func TestAdvertisedAddressIsLeftAloneWhileThePathAnswers(t *testing.T) {
	w := quiet(t)
	w.high.set.SetAdvertised(elsewhere.Remote)
	w.high.set.CheckPath(w.now)
	w.run(10 * time.Second)
	if got := w.high.probed(); !slices.Equal(got, []string{lowPath.Remote.String()}) || len(w.high.probes) != 1 {
		t.Errorf("probed %v with %d probes", got, len(w.high.probes))
	}
}

func TestRenewalFromAnotherSourceMovesThePathByProbesOnly(t *testing.T) {
	w := quiet(t)
	p, q := params(w.source, w.now, true, Null)
	q.Path = elsewhere // the OkBoss came from this address
	low, high := w.low.add(p), w.high.add(q)
	w.low.set.Confirm(w.now, low)
	w.high.set.Confirm(w.now, high)
	if w.high.set.Path() != lowPath {
		t.Fatal("it moved at once")
	}
	w.run(time.Minute)
	if w.high.set.Path() != lowPath {
		t.Error("it moved though the old path answers")
	}
	if !slices.Contains(w.high.probed(), lowPath.Remote.String()) && len(w.high.probes) > 0 {
		t.Error("the old path was not asked")
	}
}

func TestPathOfTheFirstConfirmedSessionCounts(t *testing.T) {
	b := newBench()
	p, _ := params(b.source, b.now, true, Null)
	q, _ := params(b.source, b.now, true, Null)
	q.Path = elsewhere
	first, second := New(b.now, p), New(b.now, q)
	b.low.Add(b.now, first)
	b.low.Add(b.now, second)
	if b.low.Path() != elsewhere {
		t.Error("with none confirmed the newest one's is not used")
	}
	b.low.Confirm(b.now, first)
	if b.low.Path() != highPath {
		t.Errorf("it is %v", b.low.Path())
	}
}

func TestSourceThatIsNoAddressStartsNothing(t *testing.T) {
	b, low, high := linkedBench()
	b.carry(t, high, low, b.low, wire.Path{})
	if a := b.pass(t, 200*time.Millisecond); len(a.Probes) > 0 {
		t.Errorf("%d probes", len(a.Probes))
	}
}

func TestUnknownLocalAddressEqualsAny(t *testing.T) {
	local := func(s string) wire.Path {
		p := highPath
		p.Local = netip.MustParseAddr(s)
		return p
	}
	if !samePath(highPath, local("10.0.0.1")) || !samePath(local("10.0.0.1"), highPath) {
		t.Error("an unknown one differs")
	}
	if samePath(local("10.0.0.1"), local("10.0.0.3")) {
		t.Error("two different ones do not")
	}
}

// PROTOCOL.md R4.
func TestTokensAreLargeAndOnlyThoseOfTheRoundCount(t *testing.T) {
	b, _, _ := linkedBench()
	b.low.CheckPath(b.now)
	a := b.low.HandleTimeout(b.now)
	if len(a.Probes) != 1 || a.Probes[0].Token>>63 != 1 {
		t.Fatalf("probes %+v", a.Probes)
	}
	token := a.Probes[0].Token
	if b.low.ProbeAnswered(b.now, token+1) {
		t.Error("another token counts")
	}
	if !b.low.ProbeAnswered(b.now, token) {
		t.Error("the token does not count")
	}
	if b.low.ProbeAnswered(b.now, token) {
		t.Error("it counts twice")
	}
}

func TestPeerWhoseAnswerWasLostIsMadeToConfirm(t *testing.T) {
	for _, lowConfirmed := range []bool{true, false} {
		w := newWorld(t, 42)
		p, q := params(w.source, w.now, true, Null)
		low, high := w.low.add(p), w.high.add(q)
		if lowConfirmed { // as initiator it stops repeating its identity
			w.low.set.Confirm(w.now, low)
			low.opened = 1
		} else {
			w.high.set.Confirm(w.now, high)
			high.opened = 1
		}
		w.loss = 0.5
		w.run(20 * time.Second)
		if !low.Confirmed() || !high.Confirmed() {
			t.Errorf("low %v, high %v", low.Confirmed(), high.Confirmed())
		}
	}
}

func TestSettledSessionIsNotProbed(t *testing.T) {
	b, low, high := linkedBench()
	b.carry(t, high, low, b.low, highPath)
	b.carry(t, high, low, b.low, highPath)
	if a := b.pass(t, 50*time.Minute); len(a.Probes) > 0 {
		t.Errorf("%d probes", len(a.Probes))
	}
}

func TestSessionWithoutLinkThatIsSealedUnderIsKeptByProbes(t *testing.T) {
	w := newWorld(t, 43)
	w.low.handshake()
	for range 600 { // only one side sends, every second
		w.run(time.Second)
		if s := w.low.set.Current(w.now); s != nil {
			w.low.sendUnder(s, w.low.set.Path(), heartbeat, 0)
		}
	}
	switch {
	case w.low.confirmed != 1:
		t.Errorf("%v sessions of the lower node were confirmed, want 1", w.low.confirmed)
	case w.high.lost > 0:
		t.Errorf("the higher node lost %v boxes, want 0", w.high.lost)
	case w.high.heard < 590:
		t.Errorf("the higher node heard %v boxes, want at least 590", w.high.heard)
	}
	w.run(4 * time.Minute)
	if w.low.set.Len()+w.high.set.Len() > 0 {
		t.Error("probes keep an idle session alive")
	}
}

func TestQuickerAnswerFromAnotherSourceDoesNotMoveAPathThatAnswersSlowly(t *testing.T) {
	b, low, high := linkedBench()
	b.carry(t, high, low, b.low, elsewhere)
	for _, p := range b.pass(t, 250*time.Millisecond).Probes {
		if p.To == elsewhere {
			b.low.ProbeAnswered(b.now, p.Token)
		}
	}
	if a := b.pass(t, 700*time.Millisecond); a.PathChanged {
		t.Fatal("it moved before the path had its time")
	}
	if !b.low.ProbeAnswered(b.now, b.low.probing.targets[0].token) {
		t.Fatal("the round is over")
	}
	if a := b.pass(t, 10*time.Second); a.PathChanged || b.low.Path() != highPath {
		t.Error("it moved though the path answered")
	}
}

// PROTOCOL.md R3.
func TestInitiatorAsksForASecondBoxAtOnceTheResponderLater(t *testing.T) {
	b, _, _ := linkedBench()
	start := b.now
	if a := b.pass(t, 250*time.Millisecond); len(a.Probes) != 1 || a.Probes[0].To != highPath {
		t.Errorf("the initiator's probes: %+v", a.Probes)
	}
	if a := pass(t, b.high, &start, start.Add(time.Second-1)); len(a.Probes) > 0 {
		t.Errorf("the responder's probes: %+v", a.Probes)
	}
	if a := pass(t, b.high, &start, start.Add(1)); len(a.Probes) != 1 {
		t.Errorf("the responder's probes a second later: %+v", a.Probes)
	}
}

func TestAnsweringDoesNotKeepASessionAlive(t *testing.T) {
	b := newBench()
	low, high := b.confirmed(true)
	b.carry(t, high, low, b.low, highPath)
	b.carry(t, high, low, b.low, highPath)
	b.pass(t, 10*time.Millisecond)
	low.Seal(b.now, nil, []byte("answer"))
	if a := b.pass(t, 3*time.Minute); len(a.Probes) > 0 || len(a.Closed) != 1 {
		t.Errorf("%d probes, closed %v", len(a.Probes), a.Closed)
	}
}
