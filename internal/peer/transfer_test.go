package peer

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestLargeMessageArrives(t *testing.T) {
	w := newWorld(t)
	a := w.a.transfer(300_000)
	if a.Pending != 1 || !w.a.peer.Transferring(a) {
		t.Errorf("pending for %d, transferring %v", a.Pending, w.a.peer.Transferring(a))
	}
	w.run(10 * time.Second)
	w.b.wantWhole(a)
	if a.Pending != 0 || len(w.a.peer.Transfers()) != 0 {
		t.Errorf("pending for %d although the peer has reported it", a.Pending)
	}
	if !slices.Equal(w.a.arrived, []*assembly.Assembly{a}) {
		t.Errorf("%d messages count as arrived, want this one", len(w.a.arrived))
	}
	if got := w.a.endpoint.Stats().FrameBytes; got != 300_000 {
		t.Errorf("%d bytes sent, want 300000", got)
	}
}

func TestDirectMessageArrivesInPieces(t *testing.T) {
	w := newWorld(t)
	a := w.a.store.Add(w.now, wire.MessageID{1}, make([]byte, 50_000), true)
	w.a.peer.Begin(w.now, a, wire.UseReliable)
	w.a.pump()
	w.run(10 * time.Second)
	w.b.wantWhole(a)
	if w.b.kinds[wire.KindDirect] == 0 {
		t.Error("no piece was one of a direct message")
	}
}

func TestLargeMessageSurvivesLoss(t *testing.T) {
	w := newWorld(t)
	w.lose = everyNth(w.a, 7)
	a := w.a.transfer(300_000)
	w.run(time.Minute)
	w.b.wantWhole(a)
	if w.a.endpoint.Stats().Resent == 0 {
		t.Error("nothing was sent again")
	}
	if a.Pending != 0 {
		t.Errorf("pending for %d", a.Pending)
	}
}

// PROTOCOL.md F2.
func TestPiecesOfAMessageAreSentAsTheyArrive(t *testing.T) {
	w := newWorld(t)
	whole := w.a.message(200_000)
	part := w.a.store.Begin(w.now, w.a.ids.Broadcast(), 200_000, false)
	w.a.peer.Begin(w.now, part, 0)
	for at := uint32(0); at < part.Total; at += 50_000 {
		w.a.store.Write(w.now, part, at, whole.Copy()[at:at+50_000])
		w.a.pump()
		w.run(time.Second)
		if got := w.b.large[part.ID].Have.Size(); got != at+50_000 {
			t.Errorf("%d bytes came, want %d", got, at+50_000)
		}
	}
	w.b.wantWhole(part)
}

func TestLargeMessagesTakeTurns(t *testing.T) {
	w := newWorld(t)
	one, two := w.a.message(1<<20), w.a.message(1<<20)
	w.a.peer.Begin(w.now, one, 0)
	w.a.peer.Begin(w.now, two, 0)
	w.a.pump()
	w.run(200 * time.Millisecond)
	first, second := w.b.large[one.ID], w.b.large[two.ID]
	if first == nil || second == nil {
		t.Fatal("one of them has not begun")
	}
	if a, b := first.Have.Size(), second.Have.Size(); a > b+20_000 || b > a+20_000 {
		t.Errorf("%d bytes of one and %d of the other came", a, b)
	}
}

// begun returns a list of begun transfers of 1,000-byte messages.
func begun(w *world, n int) (x *transfers, all []*Transfer) {
	x = &w.a.peer.transfers
	for range n {
		all = append(all, x.begin(w.now, w.a.message(1000), 0))
	}
	return x, all
}

func TestMessageThatWasAskedForGoesBeforeOthers(t *testing.T) {
	w := newWorld(t)
	x, all := begun(w, 4)
	x.prefer(all[3])
	x.prefer(all[1])
	x.prefer(all[3])
	if want := []*Transfer{all[3], all[1], all[0], all[2]}; !slices.Equal(x.list, want) {
		t.Error("wrong order")
	}
	if !all[1].Requested() || all[0].Requested() {
		t.Error("it is not known which were asked for")
	}
}

func TestControlGoesBeforeEverything(t *testing.T) {
	w := newWorld(t)
	x, all := begun(w, 2)
	control := x.begin(w.now, w.a.message(1000), wire.UseControl)
	if want := []*Transfer{control, all[0], all[1]}; !slices.Equal(x.list, want) {
		t.Error("wrong order")
	}
}

func TestEndedTransferReleasesItsMessage(t *testing.T) {
	w := newWorld(t)
	_, all := begun(w, 3)
	a := all[1].Message()
	w.a.peer.EndTransfer(a)
	if a.Pending != 0 || w.a.peer.Transfer(a) != nil || len(w.a.peer.Transfers()) != 2 {
		t.Errorf("pending for %d, %d transfers left", a.Pending, len(w.a.peer.Transfers()))
	}
	w.a.peer.EndTransfer(a)
	if a.Pending != 0 {
		t.Errorf("pending for %d after it ended twice", a.Pending)
	}
	w.a.peer.EndTransfers(func(*Transfer) bool { return true })
	if len(w.a.peer.Transfers()) != 0 || all[0].Message().Pending != 0 {
		t.Error("some transfers are left")
	}
}

func TestPeerIsFullByTransfers(t *testing.T) {
	for name, begin := range map[string]func(w *world){
		"count": func(w *world) { begun(w, TransfersMax) },
		"bytes": func(w *world) { w.a.peer.Begin(w.now, w.a.message(unsentMax), 0) },
		"ours": func(w *world) {
			a := w.a.message(unackedMax)
			a.Ours = true
			w.a.peer.Begin(w.now, a, 0).Has(0, a.Total)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if w.a.peer.Full(true) {
				t.Fatal("full without a transfer")
			}
			begin(w)
			if !w.a.peer.Full(true) {
				t.Error("not full")
			}
		})
	}
}

func TestNoMoreMessagesAreBegunThanThePeerTakes(t *testing.T) {
	w := newWorld(t)
	x := &w.a.peer.transfers
	for range 3 {
		a := w.a.store.Begin(w.now, w.a.ids.Broadcast(), assembly.MessageMax, false)
		tr := x.begin(w.now, a, 0)
		tr.begun = true
		tr.Has(0, assembly.IncompleteSize/4)
	}
	small := x.begin(w.now, w.a.message(1000), 0)
	if next, _ := x.next(w.now, true); next != nil {
		t.Errorf("one more was begun: %d bytes", next.Message().Total)
	}
	later := w.now.Add(assembly.StallGrace + 1) // a receiver lets stalled messages give way
	small.since = later
	if next, _ := x.next(later, true); next != small {
		t.Error("none was begun although the others stand still")
	}
}

func TestBroadcastsAreLeftOutWithoutALink(t *testing.T) {
	w := newWorld(t)
	x, _ := begun(w, 2)
	direct := x.begin(w.now, w.a.store.Add(w.now, wire.MessageID{1}, make([]byte, 1000), true), wire.UseMessage)
	for range 3 {
		if next, _ := x.next(w.now, false); next != direct {
			t.Error("a broadcast is sent without a link")
		}
		x.turn++
	}
}

func TestBroadcastWithoutALinkWaitsForIt(t *testing.T) {
	w := newWorld(t)
	w.a.peer.SetLinked(w.now, false)
	a := w.a.transfer(10_000)
	w.run(time.Second)
	if w.b.large[a.ID] != nil {
		t.Error("it was sent without a link")
	}
	w.a.peer.SetLinked(w.now, true)
	w.a.pump()
	w.run(time.Second)
	w.b.wantWhole(a)
}

func TestNodeThatLeavesSendsWhatItBeganWithoutLinks(t *testing.T) {
	w := newWorld(t)
	w.a.peer.SetLinked(w.now, false)
	a := w.a.message(1000)
	w.a.peer.Begin(w.now, a, 0)
	w.a.peer.Pump(w.now, true)
	w.run(time.Second)
	w.b.wantWhole(a)
}

func TestTransfersAreRetired(t *testing.T) {
	sent := func(tr *Transfer) { tr.begun = true; tr.Has(0, tr.Message().Total) }
	for name, c := range map[string]struct {
		prepare func(tr *Transfer)
		linked  bool
		moved   time.Duration // time of the peer's last report, from the beginning
		after   time.Duration // time for which the transfer is kept
		givenUp uint64
	}{
		"waits on a link":          {func(tr *Transfer) { tr.Message().PassedOn = true }, true, 0, queueAge, 1},
		"waits on a slow link":     {func(tr *Transfer) { tr.Message().PassedOn = true }, true, 5 * time.Second, queueAge + 5*time.Second, 1},
		"waits for a link":         {func(tr *Transfer) { tr.Message().PassedOn = true }, false, 5 * time.Second, parkedAge, 1},
		"was never passed on":      {func(*Transfer) {}, true, 0, queueAge, 0},
		"was sent, no report came": {sent, true, 0, SentHorizon, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			x, all := begun(w, 1)
			c.prepare(all[0])
			moved := epoch.Add(c.moved)
			next, givenUp := x.retire(epoch.Add(c.after), moved, c.linked)
			if len(x.list) != 1 || givenUp != 0 {
				t.Errorf("ended before its time, %d given up", givenUp)
			}
			if want := epoch.Add(c.after + time.Millisecond); next != want {
				t.Errorf("next needed after %v, want %v", next.Sub(epoch), want.Sub(epoch))
			}
			if _, givenUp = x.retire(next, moved, c.linked); len(x.list) != 0 || givenUp != c.givenUp {
				t.Errorf("%d left, %d given up, want none and %d", len(x.list), givenUp, c.givenUp)
			}
		})
	}
}

func TestTransferOfAForgottenMessageEndsAtOnce(t *testing.T) {
	w := newWorld(t)
	x, all := begun(w, 2)
	sent := all[1]
	sent.begun = true
	sent.Has(0, 1000)
	for _, tr := range all {
		w.a.store.Remove(tr.Message())
	}
	next, _ := x.retire(w.now, w.now, true)
	if len(x.list) != 0 || !next.IsZero() {
		t.Errorf("%d left, next at %v", len(x.list), next)
	}
}

func TestTransferOfWhatThePeerHasFromElsewhereEnds(t *testing.T) {
	w := newWorld(t)
	x, all := begun(w, 1)
	all[0].Has(0, 400)
	all[0].Has(600, 1000)
	if all[0].Whole() || all[0].Ranges() != 2 {
		t.Errorf("whole %v, %d ranges", all[0].Whole(), all[0].Ranges())
	}
	all[0].Has(400, 600)
	if x.retire(w.now, w.now, true); len(x.list) != 0 {
		t.Error("it goes on")
	}
}

func TestPieceOfAForgottenMessageIsNotSentAgain(t *testing.T) {
	w := newWorld(t)
	a := w.a.message(1000)
	w.a.store.Remove(a)
	w.a.peer.Resend(w.now, a, rangeset.Range{From: 0, To: 10})
	if got := w.a.endpoint.Stats(); got.Forgotten != 1 || got.Resent != 0 {
		t.Errorf("%d forgotten, %d sent again", got.Forgotten, got.Resent)
	}
	if len(w.a.peer.Transfers()) != 0 {
		t.Error("a transfer began")
	}
}

func TestPieceIsSentAgainAfterItsTransferHasEnded(t *testing.T) {
	w := newWorld(t)
	a := w.a.transfer(1000)
	w.run(time.Second)
	w.b.large[a.ID].Have.Remove(100, 200)
	w.a.peer.Resend(w.now, a, rangeset.Range{From: 100, To: 200})
	w.a.pump()
	w.run(time.Second)
	w.b.wantWhole(a)
	if got := w.a.endpoint.Stats().FrameBytes; got != 1100 {
		t.Errorf("%d bytes sent, want only the piece again", got)
	}
}
