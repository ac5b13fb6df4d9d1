package peer

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSmallMessagesOfOneTurnShareADatagram(t *testing.T) {
	w := newWorld(t)
	became := w.a.send(numbered(20)...)
	if slices.ContainsFunc(became, func(s Sending) bool { return s != Opened }) {
		t.Errorf("became %v, want all in the open datagram", became)
	}
	if !w.a.peer.HasOpen() || w.a.sent != 0 {
		t.Errorf("open %v, %d datagrams before the end of the turn", w.a.peer.HasOpen(), w.a.sent)
	}
	w.run(time.Second)
	if w.a.peer.HasOpen() {
		t.Error("still open after the turn")
	}
	if got, want := w.b.small, numbered(20); !slices.Equal(got, want) {
		t.Errorf("came %v", got)
	}
	if w.b.packets != 2 { // including the identity
		t.Errorf("20 small messages took %d packets", w.b.packets)
	}
	if w.a.peer.SealedAt() != epoch {
		t.Errorf("sealed at %v", w.a.peer.SealedAt())
	}
}

func TestFullDatagramIsSealedWithinTheTurn(t *testing.T) {
	w := newWorld(t)
	payload := strings.Repeat("x", 500)
	w.a.send(payload, payload, payload)
	if got := len(w.a.peer.open.list); got != 1 {
		t.Errorf("%d messages in the open datagram, want the third one alone", got)
	}
	w.run(time.Second)
	if len(w.b.small) != 3 {
		t.Errorf("%d of 3 came", len(w.b.small))
	}
}

func TestMessageThatNoDatagramHoldsIsUnfit(t *testing.T) {
	w := newWorld(t)
	if got := w.a.send(strings.Repeat("x", 1300)); got[0] != Unfit {
		t.Errorf("became %v, want unfit", got)
	}
	m := w.a.broadcast(strings.Repeat("x", 1300))
	if got := w.a.peer.SendUrgent(w.now, m); got != Unfit {
		t.Errorf("became %v, want unfit", got)
	}
	if w.a.peer.Waiting() != 0 || w.a.peer.HasOpen() {
		t.Error("an unfit message is kept")
	}
}

func TestMessageThatThePacingHoldsBackWaits(t *testing.T) {
	w := newWorld(t)
	w.a.stopPace()
	if got := w.a.send("one"); got[0] != Waits {
		t.Errorf("became %v, want queued", got)
	}
	if !w.a.timer.Pending() || !w.a.peer.Paused() {
		t.Error("nothing sends it later")
	}
	if got := w.a.peer.SendUrgent(w.now, w.a.broadcast("two")); got != Waits {
		t.Errorf("became %v, want queued", got)
	}
	w.run(time.Second)
	if got, want := w.b.small, []string{"two", "one"}; !slices.Equal(got, want) {
		t.Errorf("came %v, want %v", got, want)
	}
}

// stopPace uses up what the pacing allows at once.
func (n *node) stopPace() {
	for n.peer.pace.Wait(n.w.now, 1) == 0 {
		n.peer.pace.Sent(n.w.now, 100)
	}
}

func TestQueueForAPeerIsBounded(t *testing.T) {
	w := newWorld(t)
	w.a.stopPace()
	payload := strings.Repeat("x", 1000)
	for range 2 * SmallMax / 1000 {
		w.a.send(payload)
	}
	if got := w.a.peer.Backlog(); got > SmallMax+2000 {
		t.Errorf("%d bytes wait, at most %d may", got, SmallMax)
	}
	if got := w.a.send(payload); got[0] != Dropped {
		t.Errorf("became %v, want dropped", got)
	}
	if got := w.a.peer.SendUrgent(w.now, w.a.broadcast("x")); got != Dropped {
		t.Errorf("an urgent one became %v, want dropped", got)
	}
	if w.a.endpoint.Stats().QueueFull == 0 {
		t.Error("no drop was counted")
	}
}

func TestFullQueueMakesRoomByWhatThePeerHas(t *testing.T) {
	w := newWorld(t)
	w.a.stopPace()
	payload := strings.Repeat("x", 1000)
	for w.a.peer.Backlog() < SmallMax {
		w.a.send(payload)
	}
	for i := range w.a.peer.Waiting() {
		plain := w.a.arena.Get(w.a.peer.queue.at(i).Ref)
		w.a.peer.Spare(IDOf(plain))
	}
	if got := w.a.send(payload); got[0] != Waits {
		t.Errorf("became %v, want queued", got)
	}
	if got := w.a.peer.Waiting(); got != 1 {
		t.Errorf("%d wait, want 1", got)
	}
}

func TestCopyThatThePeerHasIsTakenOutOfTheOpenDatagram(t *testing.T) {
	w := newWorld(t)
	one, two := w.a.broadcast("one"), w.a.broadcast("two")
	w.a.peer.Send(w.now, one)
	w.a.peer.Send(w.now, two)
	w.a.peer.Spare(IDOf(w.a.arena.Get(one)))
	w.run(time.Second)
	if got, want := w.b.small, []string{"two"}; !slices.Equal(got, want) {
		t.Errorf("came %v, want %v", got, want)
	}
}

func TestOpenDatagramThatThePathCarriesNoLongerIsQueued(t *testing.T) {
	w := newWorld(t)
	payload := strings.Repeat("x", 300)
	w.a.send(payload, payload, payload)
	w.a.peer.open.size = 1300 // as if it had been opened while the path carried larger datagrams
	w.a.peer.Seal(w.now)
	if got := w.a.peer.Waiting(); got != 3 {
		t.Errorf("%d messages wait, want 3", got)
	}
	w.run(time.Second)
	if len(w.b.small) != 3 {
		t.Errorf("%d of 3 came", len(w.b.small))
	}
}

func TestOpenDatagramWithoutASessionWaitsForTheNextOne(t *testing.T) {
	w := newWorld(t)
	w.a.send("one", "two")
	w.a.sessions.RemoveAll(w.now)
	w.a.peer.Seal(w.now)
	if got := w.a.peer.Waiting(); got != 2 || w.a.peer.HasOpen() {
		t.Errorf("%d messages wait, want 2", got)
	}
}

func TestMessagesThatLieApartAreGatheredAndFoundAgain(t *testing.T) {
	w := newWorld(t)
	one := w.a.broadcast("one")
	w.a.arena.Put(w.now, []byte("of another peer"))
	two := w.a.broadcast("two")
	w.a.peer.Send(w.now, one)
	w.a.peer.Send(w.now, two)
	w.lose = losePackets(w.a, 1)
	w.run(10 * time.Millisecond)
	w.a.ping() // reveals the loss
	w.run(time.Second)
	if got, want := w.b.small, []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("came %v, want %v", got, want)
	}
}

func TestQueueCanBeTakenAndPutBack(t *testing.T) {
	w := newWorld(t)
	w.a.stopPace()
	w.a.send(numbered(5)...)
	if got := w.a.peer.TakeQueue(6); got != nil {
		t.Errorf("%d messages were taken of 5, want none of fewer than 6", len(got))
	}
	list := w.a.peer.TakeQueue(5)
	if len(list) != 5 || w.a.peer.Waiting() != 0 {
		t.Errorf("%d were taken, %d wait", len(list), w.a.peer.Waiting())
	}
	w.a.peer.PutBack(list[2:])
	w.run(time.Second)
	if got, want := w.b.small, numbered(5)[2:]; !slices.Equal(got, want) {
		t.Errorf("came %v, want %v", got, want)
	}
}
