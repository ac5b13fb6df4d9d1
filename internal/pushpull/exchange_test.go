package pushpull

import (
	"errors"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestExchangesOfThisNodeAreBoundedAndOneWithEachPeer(t *testing.T) {
	w := newWorld(t, 8, nil)
	w.acquaint()
	n := w.nodes[0]
	n.slow = true
	for range 2 {
		for i := 1; i < 8; i++ {
			w.pushPull(0, i)
		}
	}
	if len(n.asked) != oursMax {
		t.Errorf("%d exchanges were begun", len(n.asked))
	}
	seen := map[Token]bool{}
	for _, o := range n.asked {
		if seen[o.Token] {
			t.Errorf("token %d twice", o.Token)
		}
		seen[o.Token] = true
	}
}

func TestJoinsWaitTheirTurn(t *testing.T) {
	w := newWorld(t, 8, nil)
	n := w.nodes[0]
	for i := 1; i < 8; i++ {
		w.join(0, i)
	}
	for _, j := range append([]*joining(nil), n.joins...) {
		w.deliver()
		w.sync(0, j)
	}
	w.deliver()
	switch {
	case len(n.ended) != 7:
		t.Errorf("%v Joins ended, want 7", len(n.ended))
	case errors.Join(n.ended...) != nil:
		t.Errorf("%d Joins ended, %v; %d states were merged", len(n.ended), errors.Join(n.ended...), len(n.merged))
	case len(n.merged) != 7:
		t.Errorf("%v states were merged, want 7", len(n.merged))
	}
	w.idle()
}

func TestPushIsTriedAgainUntilThereIsRoom(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	n.full = true
	w.pushPull(0, 1)
	w.run(3 * time.Second)
	w.wantMerged(1)
	if at := n.x.NextTimeout(); at.Sub(w.now) > 2*exchangeRetry || !at.After(w.now) {
		t.Errorf("tried again at %v, now %v", at, w.now)
	}
	n.full = false
	w.run(time.Second)
	w.wantMerged(1, "state of 0")
	w.idle()
}

func TestPushForWhichThereIsNeverRoomFailsInTheEnd(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.nodes[1].full = true
	j := w.join(1, 0)
	j.Synced = true
	w.run(11 * time.Second)
	if got := w.nodes[1].ended; len(got) != 1 || !errors.Is(got[0], ErrTimeout) {
		t.Errorf("the Joins ended with %v", got)
	}
	w.idle()
}

func TestAnswerForWhichThereIsNoRoomIsARefusal(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[1]
	n.full = true
	w.pushPull(0, 1)
	w.deliver()
	w.wantLog(1, "LocalState background", "refuse 0")
	if n.x.Stats.Refused != 1 || len(n.merged) != 0 {
		t.Errorf("%+v, merged %q", n.x.Stats, n.merged)
	}
	w.idle()
}

func TestRefusedPushOfAJoinIsTriedAgain(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.nodes[0].full = true
	j := w.join(1, 0)
	w.run(2 * time.Second)
	if len(w.nodes[1].ended) != 0 || w.nodes[0].x.Stats.Refused < 3 {
		t.Errorf("ended %v, refused %d times", w.nodes[1].ended, w.nodes[0].x.Stats.Refused)
	}
	w.nodes[0].full = false
	w.run(4 * time.Second)
	w.sync(1, j)
	w.wantMerged(1, "state of 0")
	w.idle()
}

func TestRefusedPushOfTheBackgroundIsGivenUp(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	w.nodes[0].slow = true
	w.pushPull(0, 1)
	n := w.nodes[0]
	n.do(n.x.AnswerState(n.out, w.now, &n.table, n.asked[0].Token, nil))
	push := w.mail[0].id
	w.mail = nil
	n.take(letter{from: 1, refusal: true, id: wire.MessageID{9}}) // the id of no push
	if len(n.inProgress()) != 1 {
		t.Error("a refusal of another push ended it")
	}
	n.take(letter{from: 1, refusal: true, id: push})
	w.wantLog(0, "stop sending")
	w.idle()
}

func TestMalformedRefusalIsCounted(t *testing.T) {
	w := newWorld(t, 2, nil)
	n := w.nodes[0]
	n.do(n.x.HandleRefused(n.out, w.now, n.peers[1], []byte{1, 2, 3}))
	if n.x.Stats.Malformed != 1 {
		t.Errorf("%+v", n.x.Stats)
	}
}

func TestExchangeThatNobodyAnswersEnds(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	w.nodes[0].lossy = true
	w.pushPull(0, 1)
	w.run(exchangeFor - time.Second)
	if len(w.nodes[0].inProgress()) != 1 {
		t.Error("it ended early")
	}
	w.run(2 * time.Second)
	w.idle()
}

func TestPushThatIsNotAcknowledgedEndsTheExchange(t *testing.T) {
	w := newWorld(t, 2, nil)
	j := w.join(1, 0)
	n := w.nodes[1]
	e := n.inProgress()[0]
	errLost := errors.New("lost")
	n.do(n.x.SendEnded(n.out, e, wire.MessageID{77}, errLost)) // of an earlier attempt
	if len(n.ended) != 0 || !j.Agreed {
		t.Errorf("ended %v, agreed %t", n.ended, j.Agreed)
	}
	n.do(n.x.SendEnded(n.out, e, e.id, errLost))
	if len(n.ended) != 1 || !errors.Is(n.ended[0], errLost) {
		t.Errorf("ended %v", n.ended)
	}
	w.mail = nil
	w.idle()
}

func TestExchangesWithAPeerThatIsGoneEnd(t *testing.T) {
	w := newWorld(t, 2, func(_ int, c *Config) { c.AskMerge = true })
	w.nodes[0].slow, w.nodes[1].slow = true, true
	w.join(0, 1)
	w.join(1, 0)
	w.deliver()
	for i, n := range w.nodes {
		n.do(n.x.RemovePeer(n.out, n.peers[1-i]))
		if len(n.ended) != 1 || !errors.Is(n.ended[0], ErrPeerGone) {
			t.Errorf("node %d: the Joins ended with %v", i, n.ended)
		}
	}
	w.idle()
}

func TestEndOfAJoinEndsItsExchangesAndStopsItsPush(t *testing.T) {
	w := newWorld(t, 2, askMerge)
	j := w.join(1, 0)
	w.nodes[1].end(&j.Join, nil)
	w.wantLog(1, "stop sending")
	if len(w.mail) != 0 {
		t.Errorf("%d messages are on their way", len(w.mail))
	}
	w.idle()
}

func TestAnswersThatNobodyWaitsForAreNotTaken(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	answer := wire.Direct{Use: wire.UseAnswer, Total: 1, Data: []byte("x")}
	if n.expect(n.peers[1], wire.MessageID{1}, answer) {
		t.Error("taken without an exchange")
	}
	w.pushPull(0, 1)
	push := w.mail[0].id
	w.mail = nil
	for what, taken := range map[string]bool{
		"another id":    n.expect(n.peers[1], wire.MessageID{1}, answer),
		"another use":   n.expect(n.peers[1], answerID(push), wire.Direct{Use: wire.UseMemberListAnswer}),
		"of a Join":     n.expect(n.peers[1], answerID(push), wire.Direct{Use: wire.UseJoinAnswer}),
		"of no veto":    n.expect(n.peers[1], answerID(push), wire.Direct{Use: wire.UseVeto}),
		"the push's id": n.expect(n.peers[1], push, answer),
	} {
		if taken {
			t.Errorf("taken: %s", what)
		}
	}
	if got := n.x.Stats.Unexpected; got != 6 {
		t.Errorf("%d counted", got)
	}
	if !n.expect(n.peers[1], answerID(push), answer) {
		t.Error("the answer is not taken")
	}
}

func TestMessageThatWasNotExpectedIsCounted(t *testing.T) {
	w := newWorld(t, 2, nil)
	n := w.nodes[0]
	for _, use := range []wire.Use{wire.UsePush, wire.UseAnswer, wire.UseMemberListAnswer} {
		n.do(n.x.HandleMessage(n.out, w.now, &n.table, n.peers[1], use, wire.MessageID{1}, []byte("x")))
	}
	if n.x.Stats.Unexpected != 3 || len(n.log) != 0 {
		t.Errorf("%+v, %q", n.x.Stats, n.log)
	}
}

// pushPiece delivers the first piece of a push of node 1 that declares total bytes.
func (n *node) pushPiece(from int, id byte, total int) bool {
	return n.expect(n.peers[from], wire.MessageID{id, byte(from), 15: 2 * id}, wire.Direct{Use: wire.UsePush, Total: uint32(total)})
}

func TestPushOfAnotherSizeThanDeclaredIsNotTaken(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	for range 2 {
		if !n.pushPiece(1, 1, 1000) {
			t.Fatal("not taken")
		}
	}
	if n.pushPiece(1, 1, 1001) || n.x.Stats.Unexpected != 1 {
		t.Errorf("taken with another size; %+v", n.x.Stats)
	}
}

func TestPeerMayBeginOneExchangeAtATime(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	n.pushPiece(1, 1, 1000)
	n.receives(1, wire.MessageID{1, 1, 15: 2})
	if n.pushPiece(1, 2, 1000) {
		t.Error("a second one is taken while the first makes progress")
	}
	w.now = w.now.Add(stallGrace + time.Millisecond)
	if !n.pushPiece(1, 3, 1000) {
		t.Error("the one that stands still did not give way")
	}
	if l := n.x.Load(); l.Theirs != 1 || l.Declared != 1000 {
		t.Errorf("%+v", l)
	}
}

// PROTOCOL.md B4.
func TestPushesOfAPeerHaveARate(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	taken := 0
	for i := range 100 {
		if n.pushPiece(1, byte(i+1), 10) {
			taken++
		}
	}
	if taken != PushRate.Burst || n.x.Stats.Refused != uint64(100-PushRate.Burst) {
		t.Errorf("%d taken, %d refused", taken, n.x.Stats.Refused)
	}
	if len(n.log) != 1 {
		t.Errorf("%d refusals were sent at one moment", len(n.log))
	}
	w.run(PushRate.Every + time.Millisecond)
	if !n.pushPiece(1, 101, 10) || n.pushPiece(1, 102, 10) {
		t.Error("not one more after the interval")
	}
}

// PROTOCOL.md B4.
func TestPushesOfManyPeersAreBoundedInNumberAndBytes(t *testing.T) {
	const others = TheirsMax + 8
	for _, size := range []int{10, messageMax} {
		w := newWorld(t, 1+others, nil)
		w.acquaint()
		n := w.nodes[0]
		for i := 1; i <= others; i++ {
			n.pushPiece(i, 1, size)
			n.receives(i, wire.MessageID{1, byte(i), 15: 2})
			if l := n.x.Load(); l.Theirs > TheirsMax || l.Declared > TheirsSize*messageMax {
				t.Fatalf("%+v", l)
			}
		}
		if n.x.Stats.Refused == 0 {
			t.Errorf("%d bytes: none was refused", size)
		}
		w.now = w.now.Add(2 * stallGrace) // stalled exchanges give way
		if !n.pushPiece(others, 2, size) {
			t.Errorf("%d bytes: none gave way", size)
		}
	}
}

func TestPushOfWhichNothingIsHereAnyMoreEnds(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	id := wire.MessageID{1, 1, 15: 2}
	n.pushPiece(1, 1, 1000)
	push := n.receives(1, id)
	w.run(3 * exchangeCheck)
	if len(n.inProgress()) != 1 {
		t.Fatal("it ended although a part of it is here")
	}
	n.store.Remove(push)
	w.run(exchangeCheck)
	w.idle()
}

func TestNodeThatHasLeftTakesNoPushes(t *testing.T) {
	for _, state := range []bool{true, false} {
		w := newWorld(t, 2, func(_ int, c *Config) { c.State = state })
		w.acquaint()
		n := w.nodes[0]
		n.remove(0, wire.StateLeft)
		if n.pushPiece(1, 1, 10) {
			t.Error("taken")
		}
		w.wantLog(0, "refuse 1")
		w.idle()
	}
}

func TestTimeoutBeforeItsTimeDoesNothing(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	if at := n.x.NextTimeout(); !at.IsZero() {
		t.Errorf("due at %v although nothing is to be done", at)
	}
	n.slow = true
	w.pushPull(0, 1)
	at := n.x.NextTimeout()
	if out := n.x.HandleTimeout(n.out, at.Add(-1), &n.table); len(out) != 0 || !n.x.NextTimeout().Equal(at) {
		t.Errorf("%d outcomes, then due at %v", len(out), n.x.NextTimeout())
	}
	n.do(n.x.HandleTimeout(n.out, at, &n.table))
	if next := n.x.NextTimeout(); !next.IsZero() {
		t.Errorf("due at %v after the end", next)
	}
	w.idle()
}

func TestDeadlinesAtOneMomentComeInTheOrderOfSetting(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.acquaint()
	n := w.nodes[0]
	n.slow = true
	for i := 3; i > 0; i-- {
		w.pushPull(0, i)
	}
	at := n.x.NextTimeout()
	for i := 3; i > 0; i-- {
		if n.peers[i].state == nil {
			t.Fatalf("the exchange with node %d ended early", i)
		}
		n.do(n.x.HandleTimeout(n.out, at, &n.table))
		if n.peers[i].state != nil {
			t.Errorf("the exchange with node %d did not end in its turn", i)
		}
	}
}

func TestDeadlinesAreOrderedByTimeThenByNumber(t *testing.T) {
	never, soon, later := deadline{}, deadline{at: begin, seq: 2}, deadline{at: begin.Add(1), seq: 1}
	for _, c := range []struct {
		a, b deadline
		want bool
	}{
		{never, never, false}, {never, soon, false}, {soon, never, true}, {soon, later, true}, {later, soon, false},
		{soon, deadline{at: begin, seq: 3}, true}, {soon, soon, false},
	} {
		if got := c.a.before(c.b); got != c.want {
			t.Errorf("%+v before %+v: %t", c.a, c.b, got)
		}
	}
}
