package pacing

import (
	"testing"
	"time"
)

func TestStalledReceiverBoundsWhatIsInFlightAndResumes(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]int{"its socket keeps what fits": 200 << 10, "all is lost": 0} {
		w := newWorld(1)
		f := newFlow(w, &link{pipe: &pipe{w: w, bits: 40 * mbit, queue: 256 << 10}, rtt: 40 * ms, socket: socket}, 1<<30)
		w.runFor(3*time.Second, nil)
		f.l.stalled = true
		window, before, datagrams := f.c.Window(), f.received, len(f.log)
		f.maxFlight = 0
		w.runFor(5*time.Second, nil)
		t.Logf("%s: window %d, at most %d in flight, %d datagrams sent", name, window, f.maxFlight, len(f.log)-datagrams)
		if most := window*5/4 + 20*1400; f.maxFlight > most {
			t.Errorf("%s: %d bytes in flight, want at most %d", name, f.maxFlight, most)
		}
		f.resume()
		w.runFor(2*time.Second, nil)
		from := f.received
		w.runFor(time.Second, nil)
		rate := float64(f.received-from) * 8
		t.Logf("%s: %.1f Mbit/s after 2 s, %d bytes until then", name, rate/mbit, from-before)
		if rate < 20*mbit {
			t.Errorf("%s: %.1f Mbit/s 2 s after the stall", name, rate/mbit)
		}
	}
}

// PROTOCOL.md T2.
func TestPeerThatHoldsReportsBackIsNoticed(t *testing.T) {
	now := time.Unix(0, 0)
	c := New(now, time.Millisecond, func(n int64) int64 { return n / 2 }, 1400)
	send := func(bytes int) {
		for ; bytes > 0; bytes -= 1400 {
			c.Wait(now, 1400)
			c.Sent(now, 1400)
		}
	}
	report := func() {
		c.Report(now, Report{Delivered: c.flight.sent, InFlightSent: c.flight.sent, RTT: time.Millisecond})
	}
	send(burst / 2)
	if now = now.Add(time.Minute); c.Held(now) {
		t.Error("little on its way is no reason to report")
	}
	send(burst)
	if c.Held(now) {
		t.Error("much was sent this moment only")
	}
	if now = now.Add(2*reportEvery + windowSlack + 2*time.Millisecond); !c.Held(now) {
		t.Error("a report is overdue")
	}
	late := now
	if now = now.Add((heldMax + 1) * reportEvery); c.Held(now) {
		t.Error("a report that was lost holds the link up for ever")
	}
	now = late
	if report(); c.Held(now) {
		t.Error("a report came")
	}
}

func TestOneDatagramAtATimeGoesBeyondTheWindow(t *testing.T) {
	t.Parallel()
	c, now := newController(40*ms), epoch
	sendAll(c, now)
	var gaps []time.Duration
	for range 6 {
		w := c.Wait(now, 1400)
		now = now.Add(w)
		if again := c.Wait(now, 1400); again != 0 {
			t.Fatalf("after %v another %v", w, again)
		}
		c.Sent(now, 1400)
		gaps = append(gaps, w)
	}
	want := []time.Duration{90 * ms, 90 * ms, 180 * ms, 360 * ms, 720 * ms, 1000 * ms}
	for i := range want {
		if gaps[i] != want[i] {
			t.Fatalf("waits %v, want %v", gaps, want)
		}
	}
	if c.InFlight() > burst+7*1400 {
		t.Errorf("%d bytes in flight", c.InFlight())
	}
	c.Report(now, Report{Delivered: 1400, InFlightSent: 1400, RTT: 40 * ms})
	if c.InFlight() != 0 || sendAll(c, now) < burst-1400 {
		t.Error("after a report the link does not start anew")
	}
}

func TestApplicationThatSendsLittleDoesNotInflateTheRate(t *testing.T) {
	t.Parallel()
	w := newWorld(1)
	f := newFlow(w, &link{pipe: &pipe{w: w, bits: 1 * gbit, queue: 256 << 10}, rtt: 40 * ms}, 1<<30)
	f.may = 0
	const offered = 300 << 10 // bytes per 100 ms: 3 MB/s
	most := 0.0
	for range 300 {
		f.allow(offered)
		w.runFor(100*ms, nil)
		most = max(most, f.c.Rate())
	}
	t.Logf("3 MB/s offered, at most %.1f MB/s allowed", most/1e6)
	if most > 10*3e6 {
		t.Errorf("%.1f MB/s allowed for 3 MB/s", most/1e6)
	}
	if f.unique < f.may-1000 {
		t.Errorf("%d of %d datagrams arrived", f.unique, f.may)
	}
}

// A caller that is rarely scheduled still sends at the rate it is allowed.
func TestCallerThatIsScheduledLateKeepsItsRate(t *testing.T) {
	const late = 50 * ms
	c, now := newController(40*ms), epoch
	c.setRate(400e3)
	sendAll(c, now)
	begin, sent := now, 0
	for range 100 {
		c.flight.reported = c.flight.sent // the window is not under test
		w := c.Wait(now, 1400)
		now = now.Add(w + late)
		c.Late(now, late)
		sent += sendAll(c, now)
	}
	if rate := float64(sent) / now.Sub(begin).Seconds(); rate < 0.9*c.Rate() || rate > 1.01*c.Rate() {
		t.Errorf("%.0f B/s, the rate is %.0f", rate, c.Rate())
	}
	c.flight.reported = c.flight.sent
	c.Wait(now, 1400)
	c.Late(now.Add(time.Hour), time.Hour)
	if n := sendAll(c, now.Add(time.Hour)); n > 2*burst {
		t.Errorf("%d bytes at once after an hour", n)
	}
}

// reported returns a controller that has sent bytes, some of which the peer has reported.
func reported(now time.Time, sent int, delivered uint64) *Controller {
	c := New(now, 10*ms, func(n int64) int64 { return n / 2 }, 1400)
	for range sent / 1400 {
		c.Sent(now, 1400)
	}
	c.Report(now, Report{Delivered: delivered, InFlightSent: 140_000, RTT: 10 * ms})
	return c
}

// PROTOCOL.md T2.
func TestOnlyAPeerThatReportsNewBytesIsProven(t *testing.T) {
	const late = 2 * time.Second
	for _, is := range []struct {
		name      string
		sent      int
		delivered uint64
		after     time.Duration
		want      bool
	}{
		{"reported one byte", 280_000, 1, 0, false},
		{"reported a datagram", 280_000, 1400, 0, true},
		{"reported a datagram a second ago", 280_000, 1400, proven, true},
		{"owes a report for two seconds", 280_000, 1400, late, false},
		{"has all", 140_000, 140_000, late, true},
		{"has nearly all, so that no report is due", 140_000 + owedMax, 140_000, time.Hour, true},
	} {
		t.Run(is.name, func(t *testing.T) {
			c := reported(epoch, is.sent, is.delivered)
			if got := c.Proven(epoch.Add(is.after)); got != is.want {
				t.Errorf("proven: %v, want %v", got, is.want)
			}
		})
	}
	if c := New(epoch, 10*ms, func(n int64) int64 { return n / 2 }, 1400); c.Proven(epoch) {
		t.Error("a peer that has not reported yet is proven")
	}
}

func TestPeerThatSentNothingNewForLongDoesNotReport(t *testing.T) {
	c := reported(epoch, 140_000, 140_000)
	if !c.Reports(epoch.Add(proven)) {
		t.Error("a peer that reported a second ago does not report")
	}
	if c.Reports(epoch.Add(2 * time.Second)) {
		t.Error("a peer that reported two seconds ago reports")
	}
}

func TestPeerThatOwesAReportForTenSecondsIsMute(t *testing.T) {
	c := reported(epoch, 280_000, 1400)
	if c.Mute(epoch.Add(10 * time.Second)) {
		t.Error("mute after ten seconds")
	}
	if !c.Mute(epoch.Add(11 * time.Second)) {
		t.Error("not mute after eleven seconds")
	}
	c.Report(epoch.Add(11*time.Second), Report{Delivered: 280_000, InFlightSent: 280_000, RTT: 10 * ms})
	if c.Mute(epoch.Add(time.Hour)) {
		t.Error("mute although it has reported all")
	}
}

// A peer makes itself look far away by late reports.
func TestPatienceWithAPeerThatReportsLateIsBounded(t *testing.T) {
	c := New(epoch, 10*ms, func(n int64) int64 { return n / 2 }, 1400)
	now := epoch
	for range 100 {
		c.Sent(now, 64_000)
		now = now.Add(time.Minute)
		c.Report(now, Report{Delivered: c.flight.sent, InFlightSent: c.flight.sent, RTT: time.Minute})
	}
	c.Sent(now, 64_000)
	if 4*c.overdue() < 2*muteAfter {
		t.Fatalf("the round trip seems to be %v only", c.RTT())
	}
	if c.Proven(now.Add(muteAfter + 1)) {
		t.Error("proven beyond the bound")
	}
	if !c.Mute(now.Add(muteAfter + 1)) {
		t.Error("not mute beyond the bound")
	}
}

func TestRestartDoesNotForgetThatAReportIsOwed(t *testing.T) {
	c := reported(epoch, 280_000, 1400)
	later := epoch.Add(time.Hour)
	if c.Wait(later, 1400); c.InFlight() != 0 {
		t.Fatal("not restarted")
	}
	if c.Proven(later) {
		t.Error("proven")
	}
}
