package pushpull

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md B1.
func TestPushPullMergesTheStatesOfBothNodes(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	w.pushPull(0, 1)
	w.deliver()
	w.wantLog(0, "LocalState background", "MergeRemoteState background")
	w.wantLog(1, "LocalState background", "MergeRemoteState background")
	w.wantMerged(0, "state of 1")
	w.wantMerged(1, "state of 0")
	w.idle()
	for _, n := range w.nodes {
		switch s := n.x.Stats; {
		case s.Sent != 1:
			t.Errorf("node %d: %v states were sent, want 1", n.i, s.Sent)
		case s.Received != 1:
			t.Errorf("node %d: %v states were received, want 1", n.i, s.Received)
		case s.LocalSize != len("state of 0"):
			t.Errorf("node %d: the own state has %v bytes, want %v", n.i, s.LocalSize, len("state of 0"))
		case s.RemoteSize != len("state of 0"):
			t.Errorf("node %d: the state of the other has %v bytes, want %v", n.i, s.RemoteSize, len("state of 0"))
		}
	}
}

func TestStatesOfAJoinAreMergedAfterTheMembersOnBothSides(t *testing.T) {
	w := newWorld(t, 2, nil)
	j := w.join(1, 0)
	w.deliver()
	w.wantLog(1, "LocalState own join", "agreed")
	w.wantMerged(0)
	w.wantMerged(1)
	w.sync(1, j)
	w.wantMerged(0, "state of 1")
	w.wantMerged(1, "state of 0")
	if n := w.nodes[1]; len(n.ended) != 1 || n.ended[0] != nil {
		t.Errorf("the Joins ended with %v", n.ended)
	}
	w.idle()
}

func TestStateOfANodeIsMergedWithoutItsEntryAfterAWhile(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.nodes[0].add(memberNo(1))
	w.pushPull(0, 1)
	w.run(memberWait - time.Second)
	w.wantMerged(1)
	w.run(2 * time.Second)
	w.wantMerged(1, "state of 0")
	w.idle()
}

func TestStateOfANodeWhoseEntryIsKeptOutIsMergedAllTheSame(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.nodes[0].add(memberNo(1))
	w.pushPull(0, 1)
	w.deliver()
	n := w.nodes[1]
	n.do(n.x.Introduced(n.out, w.now, &n.table, n.peers[0])) // another node has its name
	w.wantMerged(1, "state of 0")
	w.idle()
}

func TestStateWaitsAgainAfterAHandshake(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[1]
	n.remove(0, wire.StateDead)
	n.peers[0].Forget()
	w.pushPull(0, 1)
	w.deliver()
	w.wantMerged(1)
	n.admit(memberNo(0))
	w.wantMerged(1, "state of 0")
	w.idle()
}

func TestEmptyStateIsNotMerged(t *testing.T) {
	for quiet := range 2 {
		w := newWorld(t, 2, nil)
		w.acquaint()
		w.nodes[quiet].state = ""
		w.pushPull(0, 1)
		w.deliver()
		w.wantMerged(1 - quiet)
		if len(w.nodes[quiet].merged) != 1 {
			t.Errorf("the node without a state merged %q", w.nodes[quiet].merged)
		}
		w.idle()
	}
}

// PROTOCOL.md B3.
func TestNodeWithoutAStateAnswersWithNothing(t *testing.T) {
	w := newWorld(t, 2, func(i int, c *Config) { c.State = i == 0 })
	w.acquaint()
	w.pushPull(0, 1)
	w.deliver()
	w.wantLog(1, "send nothing to 0")
	w.wantMerged(0)
	w.idle()
	w.pushPull(1, 0)
	w.deliver()
	w.wantLog(1, "send nothing to 0")
	w.idle()
}

func TestJoinThatWaitsForNoStateEndsWithTheMembers(t *testing.T) {
	w := newWorld(t, 2, func(_ int, c *Config) { c.State = false })
	j := w.join(1, 0)
	w.sync(1, j)
	if n := w.nodes[1]; len(n.ended) != 1 || n.ended[0] != nil {
		t.Errorf("the Joins ended with %v", n.ended)
	}
	w.idle()
}

func TestStateThatIsTooLargeFailsTheJoinOnEitherSide(t *testing.T) {
	const size = messageMax + 1
	for side := range 2 {
		w := newWorld(t, 2, nil)
		w.nodes[side].state = strings.Repeat("s", size)
		j := w.join(1, 0)
		w.deliver()
		if n := w.nodes[1]; len(n.ended) == 0 {
			w.sync(1, j)
		}
		ended := w.nodes[1].ended
		large, ok := errors.AsType[*StateTooLargeError](errors.Join(ended...))
		if !ok || *large != (StateTooLargeError{Size: size, Max: messageMax, Theirs: side == 0}) {
			t.Errorf("too large at node %d: %v", side, ended)
		}
		w.wantMerged(1 - side)
		w.run(time.Minute)
		w.idle()
	}
}

func TestErrorOfALargeStateSaysWhoseItIs(t *testing.T) {
	for theirs, want := range map[bool]string{
		false: "this node's state has 9 bytes, of which at most 8 can be sent",
		true:  "the other node's state has 9 bytes, of which at most 8 can be sent",
	} {
		if got := (&StateTooLargeError{Size: 9, Max: 8, Theirs: theirs}).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// PROTOCOL.md B1.
func TestBackgroundExchangeSendsTheSizeOfAStateThatIsTooLargeAndBringsTheOther(t *testing.T) {
	for large := range 2 {
		w := newWorld(t, 2, nil)
		w.acquaint()
		w.nodes[large].state = strings.Repeat("s", messageMax+1)
		w.pushPull(0, 1)
		w.deliver()
		w.wantMerged(1 - large)
		if got := w.nodes[large].merged; len(got) != 1 {
			t.Errorf("the node with the large state merged %q", got)
		}
		for _, n := range w.nodes {
			if n.x.Stats.TooLarge != 1 {
				t.Errorf("too large at node %d: node %d counts %d", large, n.i, n.x.Stats.TooLarge)
			}
		}
		w.idle()
	}
}

// A member may send any size.
func TestSizeThatMakesNoSenseEndsTheExchange(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	data := binary.BigEndian.AppendUint64(nil, messageMax)
	n.take(letter{from: 1, use: wire.UseLargePush, id: wire.MessageID{1}, data: data})
	if n.x.Stats.Malformed != 1 || len(n.log) != 0 {
		t.Errorf("%+v, %q", n.x.Stats, n.log)
	}
	w.idle()
}

func TestMessagesOfAWrongSizeAreNotTaken(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	for i, d := range []wire.Direct{
		{Use: wire.UseLargePush, Total: 0}, {Use: wire.UseLargePush, Total: 7}, {Use: wire.UseLargePush, Total: 9},
		{Use: wire.UseLargeAnswer, Total: 1000}, {Use: wire.UseVeto, Total: wire.ReasonMax + 1},
	} {
		if n.expect(n.peers[1], wire.MessageID{byte(i)}, d) {
			t.Errorf("%+v is taken", d)
		}
	}
	if n.x.Stats.Malformed != 5 {
		t.Errorf("%d counted", n.x.Stats.Malformed)
	}
	w.idle()
}

func TestStateOfASlowApplicationStillCounts(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[1]
	n.slow = true
	w.pushPull(0, 1)
	w.run(30 * time.Second)
	if len(n.asked) != 1 {
		t.Fatalf("%d questions", len(n.asked))
	}
	n.slow = false
	n.answer(n.asked[0])
	w.deliver()
	w.wantMerged(0, "state of 1")
	w.wantMerged(1, "state of 0")
	w.idle()
}

func TestAnswersOfTheApplicationCountOnce(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	n.slow = true
	w.pushPull(0, 1)
	token := n.asked[0].Token
	for range 3 {
		n.do(n.x.AnswerState(n.out, w.now, &n.table, token, []byte("once")))
	}
	n.do(n.x.AnswerState(n.out, w.now, &n.table, token+100, []byte("unknown")))
	n.do(n.x.StateMerged(n.out, token)) // it was not asked to merge
	w.deliver()
	w.wantMerged(1, "once")
	if len(n.asked) != 2 || n.asked[1].Kind != StateArrived {
		t.Fatalf("%d questions", len(n.asked))
	}
	for range 2 {
		n.do(n.x.StateMerged(n.out, token))
	}
	w.idle()
}

func TestOwnStateIsCopied(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.acquaint()
	n := w.nodes[0]
	n.slow, n.full = true, true
	w.pushPull(0, 1)
	data := []byte("before")
	n.do(n.x.AnswerState(n.out, w.now, &n.table, n.asked[0].Token, data))
	copy(data, "after!")
	n.full = false
	w.run(time.Second)
	w.wantMerged(1, "before")
}
