package peer

import (
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md T1.
func TestReceivedPiecesAreReported(t *testing.T) {
	w := newWorld(t)
	w.a.transfer(1000)
	w.run(time.Second)
	if len(w.a.measure) == 0 {
		t.Fatal("no report came")
	}
	if got := w.a.measure[0]; got != 2*time.Millisecond {
		t.Errorf("the report names what was sent %v ago, want a round trip", got)
	}
	if got := w.a.peer.RTT(); got != 2*time.Millisecond {
		t.Errorf("round-trip time %v, want 2ms", got)
	}
}

// PROTOCOL.md T1.
func TestSmallMessagesAreReportedOnceThereAreMany(t *testing.T) {
	w := newWorld(t)
	w.a.send("one")
	w.run(time.Second)
	if len(w.a.measure) != 0 {
		t.Error("one small message is worth no report")
	}
	for range reportBytes / 1000 {
		w.a.send(strings.Repeat("x", 1000))
		w.run(10 * time.Millisecond)
	}
	w.run(time.Second)
	if len(w.a.measure) != 1 {
		t.Errorf("%d reports, want 1", len(w.a.measure))
	}
}

func TestReportsKeepTheirInterval(t *testing.T) {
	for _, factor := range []int{1, 8} {
		w := newWorld(t)
		w.b.factor = factor
		a := w.a.transfer(16 << 20)
		reports := 0
		begin := w.now
		for w.a.peer.Transferring(a) {
			reports = len(w.a.measure)
			w.run(10 * time.Millisecond)
		}
		took := w.now.Sub(begin)
		every := ReportInterval * time.Duration(factor)
		if factor == 1 { // nothing delays the reports, and much arrives
			every = pacing.QuickReport(w.b.peer.RTT())
		}
		most := int(took/every) + 1
		if reports > most || reports < most/4 {
			t.Errorf("factor %d: %d reports in %v, at most %d may be", factor, reports, took, most)
		}
	}
}

// PROTOCOL.md T1.
func TestReportOfMuchIsQuick(t *testing.T) {
	for _, c := range []struct {
		bytes, factor int
		rtt, want     time.Duration
	}{
		{quickBytes - 1, 1, time.Millisecond, ReportInterval},
		{quickBytes, 1, time.Millisecond, 2 * time.Millisecond},
		{quickBytes, 1, 5 * time.Millisecond, 5 * time.Millisecond},
		{quickBytes, 1, 50 * time.Millisecond, 50 * time.Millisecond},
		{quickBytes, 2, time.Millisecond, 2 * ReportInterval},
	} {
		w := newWorld(t)
		w.b.peer.rtt = c.rtt
		w.b.ch.WantReport(w.now)
		w.b.peer.SendReport(w.now, c.factor)
		w.b.ch.CountReceived(c.bytes)
		w.b.ch.WantReport(w.now)
		if got := w.b.peer.NextReport().Sub(w.now); got != c.want {
			t.Errorf("%+v: the next report follows after %v", c, got)
		}
		if got := w.b.timer.At().Sub(w.now); got > c.want {
			t.Errorf("%+v: the timer fires after %v", c, got)
		}
	}
}

func TestReportIsSentAsSoonAsItMayBe(t *testing.T) {
	w := newWorld(t)
	w.b.report()
	w.run(time.Millisecond)
	w.b.ch.WantReport(w.now)
	if w.b.peer.ReportDue(w.now) {
		t.Error("due before its time")
	}
	if want := epoch.Add(ReportInterval); !w.b.timer.Pending() || w.b.timer.At() != want {
		t.Errorf("the timer fires at %v, want %v", w.b.timer.At(), want)
	}
	w.run(time.Second)
	if got := w.a.kinds[wire.KindReport]; got != 2 {
		t.Errorf("%d reports, want 2", got)
	}
}

func TestReportOfWhatWasNeverSentChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.a.send("one")
	w.run(time.Millisecond)
	rate := w.a.peer.Pace().Rate()
	if _, ok := w.a.ch.HandleReport(w.now, wire.Report{Highest: 1 << 40, Lowest: 1, Bytes: 1 << 50}); ok {
		t.Error("taken for a report")
	}
	if !w.a.peer.moved.IsZero() {
		t.Error("the queue counts as moved")
	}
	if w.a.peer.Pace().Rate() != rate {
		t.Error("the rate has changed")
	}
}

func TestReportWithLowestBeyondEverythingEndsOnlyWhatWasSent(t *testing.T) {
	w := newWorld(t)
	sent := w.a.transfer(1000)
	queued := w.a.message(1000)
	w.a.peer.Begin(w.now, queued, 0)
	w.a.ch.Confirm(w.now, 1<<60, nil)
	if w.a.peer.Transfer(sent) != nil {
		t.Error("the message that was sent goes on")
	}
	if w.a.peer.Transfer(queued) == nil {
		t.Error("the message that was not sent has ended")
	}
}

func TestReportOfAnotherSessionEndsNoTransfer(t *testing.T) {
	w := newWorld(t)
	a := w.a.transfer(1000)
	w.a.peer.Transfer(a).session = nil
	w.a.ch.Confirm(w.now, 1<<60, nil)
	if w.a.peer.Transfer(a) == nil {
		t.Error("it has ended")
	}
}

func TestForgottenSessionIsNotReported(t *testing.T) {
	w := newWorld(t)
	w.b.report()
	w.b.ch.WantReport(w.now)
	w.b.peer.Forget(w.b.ch.Session)
	if w.run(time.Minute); w.a.kinds[wire.KindReport] != 1 {
		t.Errorf("%d reports, want the one before", w.a.kinds[wire.KindReport])
	}
}

func TestRoundTripIsGuessedBeforeItIsMeasured(t *testing.T) {
	w := newWorld(t)
	if got := w.a.peer.RoundTrip(); got != GuessedRTT || w.a.peer.RTT() != 0 {
		t.Errorf("guess %v, measured %v", got, w.a.peer.RTT())
	}
	w.a.peer.SetRTT(time.Millisecond)
	if got := w.a.peer.RoundTrip(); got != time.Millisecond {
		t.Errorf("%v, want what was measured", got)
	}
}
