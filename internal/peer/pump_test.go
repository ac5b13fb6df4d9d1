package peer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
)

func TestQueuedMessagesShareDatagrams(t *testing.T) {
	w := newWorld(t)
	w.a.stopPace()
	w.a.send(numbered(100)...)
	if got := w.a.peer.Waiting(); got != 100 {
		t.Fatalf("%d wait, want 100", got)
	}
	w.run(10 * time.Second)
	if got := w.b.small; !slices.Equal(got, numbered(100)) {
		t.Errorf("%d of 100 came, or not in order", len(got))
	}
	if w.a.sent > 20 {
		t.Errorf("%d datagrams for 100 small messages", w.a.sent)
	}
	if w.a.peer.Backlog() != 0 || w.a.peer.Paused() {
		t.Errorf("%d bytes wait afterwards", w.a.peer.Backlog())
	}
}

// PROTOCOL.md D5.
func TestQueueThatDoesNotMoveIsGivenUp(t *testing.T) {
	w := newWorld(t)
	p := &w.a.peer
	if p.stale(epoch.Add(queueAge), epoch) {
		t.Error("given up too early")
	}
	if !p.stale(epoch.Add(queueAge+1), epoch) {
		t.Error("kept although the peer has reported nothing")
	}
	p.moved = epoch.Add(time.Second)
	if p.stale(epoch.Add(queueAge+1), epoch) {
		t.Error("given up although the peer reports what it receives")
	}
}

func TestOldMessagesAreDroppedAndTheOthersSent(t *testing.T) {
	w := newWorld(t)
	old, young := w.a.broadcast("old"), w.a.broadcast("young")
	w.a.peer.queue.add(w.now.Add(-queueAge-1), old)
	w.a.peer.queue.add(w.now, young)
	w.a.pump()
	w.run(time.Second)
	if got, want := w.b.small, []string{"young"}; !slices.Equal(got, want) {
		t.Errorf("came %v, want %v", got, want)
	}
	if got := w.a.endpoint.Stats().QueueOld; got != 1 {
		t.Errorf("%d drops, want 1", got)
	}
}

func TestQueuedMessageThatThePathCarriesNoLongerIsHandedBack(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("x", 1300)
	w.a.peer.queue.add(w.now, w.a.broadcast("before"))
	w.a.peer.queue.add(w.now, w.a.broadcast(large))
	w.a.peer.queue.add(w.now, w.a.broadcast("after"))
	w.a.pump()
	w.run(time.Second)
	if got, want := w.b.small, []string{"before", "after"}; !slices.Equal(got, want) {
		t.Errorf("came %v, want %v", got, want)
	}
	if got := w.a.unfit; !slices.Equal(got, []string{large}) {
		t.Errorf("%d messages were handed back, want the large one", len(got))
	}
}

func TestUnfitMessageThatIsGoneOrNeedlessIsNotHandedBack(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("x", 1300)
	has := w.a.broadcast(large)
	w.a.peer.queue.add(w.now, arena.Ref{Off: 1 << 40, Size: 1300})
	w.a.peer.queue.add(w.now, has)
	w.a.peer.Spare(IDOf(w.a.arena.Get(has)))
	w.a.pump()
	if len(w.a.unfit) != 0 || w.a.peer.Waiting() != 0 {
		t.Errorf("%d were handed back, %d wait", len(w.a.unfit), w.a.peer.Waiting())
	}
	if got := w.a.endpoint.Stats().Forgotten; got != 1 {
		t.Errorf("%d count as forgotten, want 1", got)
	}
}

func TestQueuedMessageThatThePeerHasIsNotSent(t *testing.T) {
	w := newWorld(t)
	w.a.stopPace()
	w.a.send(numbered(10)...)
	for i := range 9 {
		w.a.peer.Spare(IDOf(w.a.arena.Get(w.a.peer.queue.at(i).Ref)))
	}
	w.run(time.Second)
	if got, want := w.b.small, numbered(10)[9:]; !slices.Equal(got, want) {
		t.Errorf("came %v, want %v", got, want)
	}
}

func TestNothingIsSentWithoutASession(t *testing.T) {
	w := newWorld(t)
	w.a.stopPace()
	w.a.send("one")
	w.a.sessions.RemoveAll(w.now)
	w.a.pump()
	if w.a.out.Buffer(); len(w.a.out.Buffer()) != 0 {
		t.Error("something was sent")
	}
	if w.a.peer.Waiting() != 1 {
		t.Errorf("%d wait, want 1", w.a.peer.Waiting())
	}
}

func TestSmallMessagesOvertakeLargeOnes(t *testing.T) {
	w := newWorld(t)
	a := w.a.transfer(16 << 20)
	w.run(10 * time.Millisecond)
	w.a.send("small")
	w.run(5 * time.Millisecond)
	if len(w.b.small) != 1 {
		t.Error("the small message waits for the large one")
	}
	if w.b.large[a.ID].Complete() {
		t.Error("the large message was too quick to show anything")
	}
	w.run(time.Minute)
	w.b.wantWhole(a)
}

func TestPeerIsFullByWhatIsQueued(t *testing.T) {
	w := newWorld(t)
	w.a.stopPace()
	payload := strings.Repeat("x", 1000)
	for w.a.peer.Backlog() < SmallOwn {
		if w.a.peer.Full(false) {
			t.Fatalf("full with %d bytes", w.a.peer.Backlog())
		}
		w.a.send(payload)
	}
	if !w.a.peer.Full(false) {
		t.Error("not full")
	}
	if w.a.peer.Full(true) {
		t.Error("full for large messages, of which there are none")
	}
}

func TestDiscardedPeerHoldsNothing(t *testing.T) {
	w := newWorld(t)
	a := w.a.message(100_000)
	w.a.peer.Begin(w.now, a, 0)
	w.a.send("open")
	w.a.peer.queue.add(w.now, w.a.broadcast("queued"))
	w.a.peer.Forget(w.a.ch.Session)
	w.a.peer.Discard()
	if a.Pending != 0 {
		t.Errorf("the message is pending for %d", a.Pending)
	}
	if p := w.a.peer; p.Waiting() != 0 || p.HasOpen() || len(p.Transfers()) != 0 {
		t.Errorf("%d messages and %d transfers are queued, a datagram is open: %t", p.Waiting(), len(p.Transfers()), p.HasOpen())
	}
	if w.a.peer.Channel(w.now) != nil {
		t.Error("a channel is left")
	}
	if got := w.a.endpoint.Stats().Unreachable; got != 2 {
		t.Errorf("%d count as unreachable, want the transfer and the open message", got)
	}
}

func TestIdlePeerNeedsNoTimer(t *testing.T) {
	w := newWorld(t)
	w.a.send("one")
	w.run(time.Minute)
	if w.a.timer.Pending() || w.b.timer.Pending() {
		t.Errorf("timers pending: %v, %v", w.a.timer.Pending(), w.b.timer.Pending())
	}
	if w.a.ch.log.Len() > 0 && w.a.ch.grown {
		t.Error("the sent log has grown by one packet")
	}
}

func TestSendingSmallMessagesAllocatesNothing(t *testing.T) {
	w := newWorld(t)
	m := w.a.broadcast(strings.Repeat("x", 256))
	turn := func() {
		w.now = w.now.Add(10 * time.Millisecond)
		w.a.peer.Send(w.now, m)
		w.a.peer.Seal(w.now)
		w.a.out.Drain(1, noRun)
		w.a.peer.pace.Report(w.now, allArrived(&w.a.peer))
	}
	for range 1000 {
		turn()
	}
	if n := testing.AllocsPerRun(1000, turn); n > 0 {
		t.Errorf("%v allocations for a small message", n)
	}
}
