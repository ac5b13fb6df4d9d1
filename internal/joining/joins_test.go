package joining

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// exchange is an Exchange whose state a test sets.
type exchange struct{ agreed, took, deciding, state, silent bool }

func (x *exchange) TakesMembers() bool { return x.agreed && !x.took }
func (x *exchange) TookMembers() bool  { return x.took }
func (x *exchange) Deciding() bool     { return x.deciding }
func (x *exchange) WantsState() bool   { return x.state }
func (x *exchange) Silence()           { x.silent = true }

var errState = errors.New("no state")

// world is the Joins of a node and their outcomes.
type world struct {
	Joins[*exchange]
	t      *testing.T
	now    time.Time
	timers timer.Heap
	due    []*Started[*exchange] // Joins whose timer has fired
	dials  uint64
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: start}
	w.Joins = NewJoins(Config[*exchange]{Timers: &w.timers, StateTimeout: errState,
		Due: func(_ time.Time, j *Started[*exchange]) { w.due = append(w.due, j) }})
	return w
}

// begin begins a Join that waits for a handshake, which gets the next number.
func (w *world) begin(token Token) *Started[*exchange] {
	w.t.Helper()
	out := w.Begin(nil, w.now, token, seed, until, &exchange{}, Place{})
	if len(out) != 1 || out[0].Kind != Contact {
		w.t.Fatalf("a Join begins with %+v", out)
	}
	w.dials++
	out[0].Join.Dialed(attempt(w.dials))
	return out[0].Join
}

// taking begins a Join with node n and advances it until it may exchange members.
func (w *world) taking(token Token, n byte) *Started[*exchange] {
	w.t.Helper()
	j := w.begin(token)
	j.Reached(id(n))
	w.SessionReady(nil, id(n), false)
	j.Exchange.agreed = true
	return j
}

// linking begins a Join that waits only for a link.
func (w *world) linking(token Token, n byte) *Started[*exchange] {
	w.t.Helper()
	j := w.taking(token, n)
	j.Exchange.took = true
	j.ListsAgree()
	w.wants(w.Settle(nil, w.now, j), Settled)
	return j
}

// wants checks the kinds of the outcomes.
func (w *world) wants(out []Outcome[*exchange], want ...OutcomeKind) {
	w.t.Helper()
	var got []OutcomeKind
	for _, o := range out {
		got = append(got, o.Kind)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("outcomes %v, want %v", got, want)
	}
}

// ended checks that the only outcome is the end of a Join, and that the Join was removed.
func (w *world) ended(out []Outcome[*exchange], j *Started[*exchange], err error) {
	w.t.Helper()
	w.wants(out, Ended)
	if len(out) != 1 {
		return
	}
	if out[0].Join != j {
		w.t.Errorf("the Join with token %d ended, want %d", out[0].Join.Token(), j.Token())
	}
	if out[0].Err != err {
		w.t.Errorf("ended with %v, want %v", out[0].Err, err)
	}
	if w.With(j.Exchange) != nil {
		w.t.Error("a Join that has ended is still found")
	}
}

func TestTokensOfJoinsAreNotGivenTwice(t *testing.T) {
	w := newWorld(t)
	for want := Token(1); want < 4; want++ {
		if got := w.NewToken(); got != want {
			t.Errorf("token %d, want %d", got, want)
		}
	}
}

func TestJoinOfThisNodeItselfEndsAtOnce(t *testing.T) {
	w := newWorld(t)
	out := w.Begin(nil, w.now, 1, seed, until, &exchange{}, Place{Self: true})
	w.ended(out, out[0].Join, nil)
	if w.timers.Len() != 0 {
		t.Errorf("%d timers are left", w.timers.Len())
	}
}

func TestJoinGoesOnInASessionThatThereIs(t *testing.T) {
	w := newWorld(t)
	out := w.Begin(nil, w.now, 1, seed, until, &exchange{}, Place{Peer: id(2)})
	w.wants(out, Greet)
	j := out[0].Join
	if j.Peer() != id(2) {
		t.Errorf("it goes on with %v", j.Peer())
	}
	if next := w.timers.Next(); !next.Equal(j.Due()) {
		t.Errorf("the timer is at %v, want %v", next, j.Due())
	}
	if !w.WaitFor(id(2)) || w.WaitFor(id(3)) {
		t.Errorf("waits for node 2: %v, for node 3: %v", w.WaitFor(id(2)), w.WaitFor(id(3)))
	}
}

func TestHandshakeOfAJoinMayBeForOneNodeOnly(t *testing.T) {
	w := newWorld(t)
	out := w.Begin(nil, w.now, 0, seed, until, &exchange{}, Place{Member: id(5)})
	w.wants(out, Contact)
	if out[0].Member != id(5) {
		t.Errorf("only %v may answer", out[0].Member)
	}
}

func TestJoinIsFoundByItsHandshakeAddressAndExchange(t *testing.T) {
	w := newWorld(t)
	a, b := w.begin(1), w.begin(2)
	for _, j := range []*Started[*exchange]{a, b} {
		if got := w.Of(j.Dial(wire.NodeID{})); got != j {
			t.Errorf("its handshake leads to %+v", got)
		}
		if got := w.With(j.Exchange); got != j {
			t.Errorf("its exchange leads to %+v", got)
		}
	}
	if !w.Begun(seed) {
		t.Error("no Join at its address is under way")
	}
	other := a.Dial(wire.NodeID{})
	other.Purpose = ForPing
	if w.Of(other) != nil {
		t.Error("a handshake for a Ping leads to a Join")
	}
	d := a.Dial(id(7))
	if d.Purpose != ForJoin || d.Member != id(7) {
		t.Errorf("its handshake is %+v", d)
	}
	if w.ended(w.End(nil, a, nil), a, nil); w.Of(d) != nil {
		t.Error("the handshake of a Join that has ended leads to it")
	}
}

func TestJoinGoesFromTheSessionToTheLink(t *testing.T) {
	w := newWorld(t)
	j := w.begin(1)
	j.Reached(id(2))
	w.wants(w.SessionReady(nil, id(3), false)) // with another node
	w.wants(w.SessionReady(nil, id(2), false), Advance)
	w.wants(w.Compared(nil, w.now, id(2))) // before both sides have agreed
	if w.Taking(id(2)) != nil {
		t.Error("it takes in members before both sides have agreed")
	}
	j.Exchange.agreed = true
	if w.Taking(id(2)) != j {
		t.Error("it takes in no members after both sides have agreed")
	}
	w.wants(w.Compared(nil, w.now, id(3)))
	w.wants(w.Compared(nil, w.now, id(2)), Merge)
	j.Exchange.took, j.Exchange.state = true, true
	w.wants(w.Settle(nil, w.now, j)) // the states are still being exchanged
	w.wants(w.Linked(nil))           // a link alone does not end it
	j.Exchange.state = false
	w.now = w.now.Add(time.Second)
	w.wants(w.Settle(nil, w.now, j), Settled)
	if next, want := w.timers.Next(), w.now.Add(LinkWait); !next.Equal(want) {
		t.Errorf("the timer is at %v, want %v", next, want)
	}
	w.ended(w.Linked(nil), j, nil)
	w.wants(w.Settle(nil, w.now, j))
}

func TestJoinWaitsUntilTheApplicationHasDecidedAboutAllMembers(t *testing.T) {
	w := newWorld(t)
	j := w.taking(1, 2)
	j.Exchange.deciding = true
	w.wants(w.Compared(nil, w.now, id(2)))
	w.wants(w.Settle(nil, w.now, j))
	j.Exchange.deciding = false
	w.wants(w.Settle(nil, w.now, j), Merge)
}

func TestVerdictsBeforeTheTablesAgreeDoNotMergeStates(t *testing.T) {
	w := newWorld(t)
	j := w.taking(1, 2)
	w.wants(w.Settle(nil, w.now, j))
}

func TestJoinOfALegacyNodeEndsWithItsSession(t *testing.T) {
	w := newWorld(t)
	j := w.begin(1)
	j.Reached(id(2))
	out := w.SessionReady(nil, id(2), true)
	w.wants(out, AskSeed, Ended)
	if w.Len() != 0 {
		t.Errorf("%d Joins are left", w.Len())
	}
}

func TestBoundOfExchangesLetsAllJoinsGoOnThatHaveASession(t *testing.T) {
	w := newWorld(t)
	w.begin(1)
	w.taking(2, 2)
	w.taking(3, 3)
	out := w.Advance(nil)
	w.wants(out, Advance, Advance)
	for i, want := range []Token{2, 3} {
		if got := out[i].Join.Token(); got != want {
			t.Errorf("outcome %d is for the Join %d, want %d", i, got, want)
		}
	}
}

func TestOneLinkEndsAllJoinsThatWaitForIt(t *testing.T) {
	w := newWorld(t)
	w.linking(1, 2)
	rest := w.begin(2)
	w.linking(3, 3)
	w.wants(w.Linked(nil), Ended, Ended)
	if w.Len() != 1 || w.With(rest.Exchange) != rest {
		t.Errorf("%d Joins are left", w.Len())
	}
}

func TestJoinWhoseTimeIsUpFailsByWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(w *world) *Started[*exchange]
		want error
	}{
		{"members", func(w *world) *Started[*exchange] { return w.taking(1, 2) }, ErrTimeout},
		{"states", func(w *world) *Started[*exchange] {
			j := w.taking(1, 2)
			j.Exchange.took = true
			return j
		}, errState},
		{"link", func(w *world) *Started[*exchange] { return w.linking(1, 2) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			j := c.make(w)
			w.now = w.timers.Next()
			w.timers.Run(w.now)
			if len(w.due) != 1 || w.due[0] != j {
				t.Fatalf("the timers of %d Joins fired", len(w.due))
			}
			w.ended(w.HandleTimeout(nil, w.now, j, start, nil), j, c.want)
			if w.timers.Len() != 0 {
				t.Errorf("%d timers are left", w.timers.Len())
			}
		})
	}
}

func TestJoinInASessionThatIsHeardWaitsOn(t *testing.T) {
	w := newWorld(t)
	j := w.Begin(nil, w.now, 1, seed, until, &exchange{}, Place{Peer: id(2)})[0].Join
	now := j.Due()
	w.wants(w.HandleTimeout(nil, now, j, now, &exchange{}))
	if next := w.timers.Next(); !next.After(now) {
		t.Errorf("the timer is at %v, which is not after %v", next, now)
	}
}

func TestJoinInASessionThatIsSilentBeginsAgainWithAHandshake(t *testing.T) {
	w := newWorld(t)
	j := w.Begin(nil, w.now, 9, seed, until, &exchange{}, Place{Peer: id(2)})[0].Join
	fresh := &exchange{}
	out := w.HandleTimeout(nil, j.Due(), j, start, fresh)
	w.wants(out, Ended, Contact)
	again := out[1].Join
	if out[0].Join != j || !j.Exchange.silent {
		t.Errorf("the Join before it did not end silently: %+v", j.Exchange)
	}
	if j.Token() != 0 {
		t.Errorf("somebody waits for the end of the Join before it: token %d", j.Token())
	}
	if again.Token() != 9 || again.Exchange != fresh {
		t.Errorf("it begins again with token %d", again.Token())
	}
	if w.Len() != 1 || w.timers.Len() != 1 {
		t.Errorf("%d Joins, %d timers", w.Len(), w.timers.Len())
	}
	if w.Of(again.Dial(wire.NodeID{})) != again {
		t.Error("its handshake does not lead to it")
	}
}

func TestSlowTransportProlongsTheHandshakeOfAJoin(t *testing.T) {
	w := newWorld(t)
	j := w.begin(1)
	d := j.Dial(wire.NodeID{})
	w.wants(w.Slow(nil, d)) // no later deadline was set
	latest := until.Add(time.Minute)
	w.Extend(2, latest) // for another Join
	w.wants(w.Slow(nil, d))
	w.Extend(1, latest)
	out := w.Slow(nil, d)
	w.wants(out, Prolong)
	if out[0].Attempt != j.Attempt() || !j.Until().Equal(latest) {
		t.Errorf("handshake %d is prolonged until %v", out[0].Attempt, j.Until())
	}
	if next := w.timers.Next(); !next.Equal(latest.Add(LinkWait)) {
		t.Errorf("the timer is at %v", next)
	}
	w.End(nil, j, nil)
	w.wants(w.Slow(nil, d))
}

func TestJoinThatNobodyWaitsForIsCanceled(t *testing.T) {
	w := newWorld(t)
	a, b := w.begin(1), w.begin(2)
	w.wants(w.Cancel(nil, 3))
	out := w.Cancel(nil, 1)
	w.ended(out, a, ErrCanceled)
	if out[0].Attempt != attempt(1) {
		t.Errorf("the handshake %d is not needed any more, want 1", out[0].Attempt)
	}
	b.Reached(id(2))
	w.wants(w.Abandon(nil, 2)) // a node has answered it
	out = w.Cancel(nil, 2)
	w.ended(out, b, ErrCanceled)
	if out[0].Attempt != 0 {
		t.Errorf("the handshake %d is canceled, which has ended", out[0].Attempt)
	}
}

func TestJoinThatNobodyHasAnsweredIsAbandoned(t *testing.T) {
	w := newWorld(t)
	j := w.begin(1)
	w.ended(w.Abandon(nil, 1), j, ErrCanceled)
}

func TestDepartureEndsTheJoinsThatNobodyWaitsFor(t *testing.T) {
	w := newWorld(t)
	for _, token := range []Token{0, 1, 0} {
		w.begin(token)
	}
	w.wants(w.EndSilent(nil), Ended, Ended)
	if w.Len() != 1 {
		t.Errorf("%d Joins are left", w.Len())
	}
}

func TestJoinEndsOnce(t *testing.T) {
	w := newWorld(t)
	j := w.begin(1)
	err := fmt.Errorf("refused")
	w.ended(w.End(nil, j, err), j, err)
	w.wants(w.End(nil, j, nil))
	w.wants(w.End(nil, nil, nil))
}
