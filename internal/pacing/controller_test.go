package pacing

import (
	"math/rand/v2"
	"testing"
	"time"
)

func newController(rtt time.Duration) *Controller {
	return New(epoch, rtt, rand.New(rand.NewPCG(1, 1)).Int64N, 1400)
}

// sendAll sends as many datagrams as Wait allows now, and returns their bytes.
func sendAll(c *Controller, now time.Time) (n int) {
	for c.Wait(now, 1400) == 0 {
		c.Sent(now, 1400)
		n += 1400
	}
	return n
}

// A perfectPeer receives everything and sends a report every max(RTT, 20 ms).
type perfectPeer struct {
	c        *Controller
	now      time.Time
	rtt      time.Duration
	reportAt time.Time
	sent     []uint64 // bytes in each millisecond
	lossy    bool     // nothing more arrives but the newest datagram
}

func newPeer() *perfectPeer { return &perfectPeer{c: newController(40 * ms), now: epoch, rtt: 40 * ms} }

// run sends as much as Wait allows for d.
func (p *perfectPeer) run(d time.Duration) {
	for range d / ms {
		p.now = p.now.Add(ms)
		sendAll(p.c, p.now)
		p.sent = append(p.sent, p.c.flight.sent)
		if !p.reportAt.After(p.now) && len(p.sent) > int(p.rtt/ms) {
			p.report()
		}
	}
}

func (p *perfectPeer) report() {
	n := p.sent[max(len(p.sent)-1-int(p.rtt/ms), 0)]
	r := Report{Delivered: n, InFlightSent: n, SentAt: p.now.Add(-p.rtt), RTT: p.rtt}
	if p.lossy {
		r.Delivered = p.c.flight.delivered
	}
	p.c.Report(p.now, r)
	p.reportAt = p.now.Add(max(p.rtt, reportEvery))
}

func TestNewLinkSends64KiBUnpacedAndWaitsForAReport(t *testing.T) {
	c := newController(40 * ms)
	if n := sendAll(c, epoch); n < burst-1400 || n > burst {
		t.Errorf("%d bytes went at once", n)
	}
	if w := c.Wait(epoch, 1400); w != 90*ms {
		t.Errorf("the next may go after %v, want 90 ms", w)
	}
	if n := c.InFlight(); n > c.Window() {
		t.Errorf("%d bytes in flight, window %d", n, c.Window())
	}
}

func TestIdleLinkStartsAnewWith64KiB(t *testing.T) {
	p := newPeer()
	p.run(300 * ms)
	fast, small := p.c.Rate(), 0
	for range 100 { // occasional small messages, as on a real link
		p.now = p.now.Add(50 * ms)
		if p.c.Wait(p.now, 100) != 0 {
			t.Fatal("a small message has to wait on a quiet link")
		}
		p.c.Sent(p.now, 100)
		small += 100
	}
	if n := sendAll(p.c, p.now); n < burst-small-1400 || n > burst {
		t.Errorf("%d bytes went at once", n)
	}
	if p.c.Rate() >= fast {
		t.Errorf("it goes on at %.0f B/s as if nothing had been", p.c.Rate())
	}
	p.now = p.now.Add(5 * time.Second)
	if !p.c.Idle(p.now) {
		t.Error("not idle after 5 s")
	}
	if n := sendAll(p.c, p.now); n < burst-1400 || n > burst {
		t.Errorf("%d bytes went at once", n)
	}
}

func TestRateDoublesWhileNothingIsLost(t *testing.T) {
	p := newPeer()
	p.run(40 * ms)
	for range 5 {
		before := p.c.Rate()
		p.run(2 * 40 * ms)
		if r := p.c.Rate() / before; r < 1.8 {
			t.Errorf("in two round trips it grew to %.2f of %.0f B/s", r, before)
		}
	}
}

func TestShortPathIsLearnedByQuickReports(t *testing.T) {
	const rtt = ms / 2
	c := newController(rtt)
	sent := sendAll(c, epoch)
	now := epoch.Add(rtt)
	c.Report(now, Report{Delivered: 1400, InFlightSent: 1400, SentAt: epoch, RTT: rtt})
	now = now.Add(QuickReport(rtt))
	c.Report(now, Report{Delivered: uint64(sent), InFlightSent: uint64(sent), SentAt: epoch, RTT: rtt})
	if want := startGain * float64(sent-1400) / QuickReport(rtt).Seconds(); c.Rate() < 0.99*want {
		t.Errorf("after %v the rate is %.0f B/s, want %.0f", now.Sub(epoch), c.Rate(), want)
	}
}

// Reports that were held up on their way arrive together. They say nothing about the path that the sender did not offer it.
func TestReportsThatArriveTogetherAtMostDoubleTheRate(t *testing.T) {
	const rtt = ms / 2
	c, now := newController(rtt), epoch
	sendAll(c, now)
	now = now.Add(rtt)
	c.Report(now, Report{Delivered: c.flight.sent, InFlightSent: c.flight.sent, SentAt: epoch, RTT: rtt})
	var totals []uint64
	for range 20 {
		now = now.Add(ms)
		sendAll(c, now)
		totals = append(totals, c.flight.sent)
	}
	report := func(n int, at time.Time) {
		c.Report(at, Report{Delivered: totals[n], InFlightSent: totals[n], SentAt: now.Add(time.Duration(n-19) * ms), RTT: rtt})
	}
	report(0, now)
	before := c.Rate()
	report(19, now.Add(2*ms))
	if r := c.Rate() / before; r > 2.1 {
		t.Errorf("the rate is %.1f times as high, want at most twice", r)
	}
}

// What an application sent before it had much to send says nothing about the path.
func TestLossAfterARestDoesNotLowerTheRateToThatOfTheRest(t *testing.T) {
	p := newPeer()
	p.run(200 * ms)
	for range 12 { // little to send for 0.6 s
		p.now = p.now.Add(50 * ms)
		p.c.Wait(p.now, 100)
		p.c.Sent(p.now, 100)
		p.c.Report(p.now, Report{Delivered: p.c.flight.sent, InFlightSent: p.c.flight.sent, SentAt: p.now.Add(-p.rtt), RTT: p.rtt})
	}
	rate, first := p.c.Rate(), p.c.flight.sent+1400
	for range 2 * p.rtt / ms {
		p.now = p.now.Add(ms)
		sendAll(p.c, p.now)
	}
	p.c.Report(p.now, Report{Delivered: first, InFlightSent: first, SentAt: p.now.Add(-p.rtt), RTT: p.rtt})
	p.c.starting = false
	p.c.Lost(p.now, p.c.InFlight()/2)
	if p.c.Rate() >= rate {
		t.Error("half of the datagrams were lost, and the rate has not fallen")
	}
	if p.c.Rate() < rate/3 {
		t.Errorf("%.0f B/s, before %.0f B/s: as little as was sent during the rest", p.c.Rate(), rate)
	}
}

func TestRateStaysWithinFloorAndCeiling(t *testing.T) {
	p := newPeer()
	p.run(time.Second)
	if p.c.Rate() != maxRate {
		t.Errorf("%.0f B/s, want the ceiling", p.c.Rate())
	}
	p.lossy = true
	for range 300 {
		p.run(100 * ms)
		p.c.Lost(p.now, 1<<30)
	}
	if p.c.Rate() < minRate || p.c.Rate() > 1e6 {
		t.Errorf("%.0f B/s, want little above the floor", p.c.Rate())
	}
}

func TestRateFallsByAnEighthAtMostOncePerRoundTrip(t *testing.T) {
	p := newPeer()
	p.run(300 * ms)
	p.rtt = 80 * ms // a queue builds up
	p.run(400 * ms)
	if p.c.starting {
		t.Fatal("the delay rose and the start did not end")
	}
	p.run(500 * ms) // until losses count again
	sum, cuts := 0.0, 0
	for range 200 {
		before := min(p.c.Rate(), p.c.round.best())
		for range 10 {
			p.c.Lost(p.now, 1400)
		}
		if r := p.c.Rate() / before; r < 1 {
			if cuts++; r < 1-5./32-1e-9 || r > 1-3./32+1e-9 {
				t.Fatalf("the rate fell to %.3f", r)
			}
			sum += 1 - r
		}
		p.run(500 * ms)
	}
	if cuts < 150 || sum/float64(cuts) < 0.12 || sum/float64(cuts) > 0.13 {
		t.Errorf("%d decreases by %.3f on average, want an eighth", cuts, sum/float64(cuts))
	}
}

func TestFewLossesWithFlatDelayChangeNothing(t *testing.T) {
	p := newPeer()
	for range 20 {
		p.run(40 * ms)
		before := p.c.Rate()
		p.c.Lost(p.now, 1400)
		if p.c.Rate() < before || !p.c.starting {
			t.Fatalf("a loss took the rate from %.0f to %.0f B/s", before, p.c.Rate())
		}
	}
}

// A path without jitter shows only its queue as a difference of samples.
func TestRiseAfterConstantDelayIsAQueueNotJitter(t *testing.T) {
	t.Parallel()
	var d delay
	d.init(epoch, 0)
	for i, rtt := range []time.Duration{200 * ms, 200 * ms, 200 * ms, 250 * ms} {
		d.add(epoch.Add(time.Duration(i)*time.Second), rtt, true, 0)
	}
	if !d.risen(1) {
		t.Errorf("a rise of %v with a jitter of %v is not seen as a queue", d.rise(1), d.jitter)
	}
}

func TestLateDatagramsAreNotTakenForLost(t *testing.T) {
	p := newPeer()
	p.run(300 * ms)
	before := p.c.Rate()
	for range 20 {
		p.c.Lost(p.now, int(p.c.Rate()*0.002)) // a Nak names it, but each report shows that it arrived
		p.run(40 * ms)
	}
	if p.c.Rate() < before {
		t.Errorf("the rate fell from %.0f to %.0f B/s", before, p.c.Rate())
	}
}

func TestBackoffPausesLongerEachTimeUntilAReport(t *testing.T) {
	p := newPeer()
	p.run(300 * ms)
	rate := p.c.Rate()
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 100, 100} {
		p.c.Backoff(p.now)
		w := p.c.Wait(p.now, 1400)
		if w < want*ms || w > want*ms+ms {
			t.Errorf("pause of %v, want %v", w, want*ms)
		}
		p.now = p.now.Add(w)
		if w := p.c.Wait(p.now, 1400); w > ms {
			t.Errorf("%v more after the pause", w)
		}
	}
	p.report()
	p.c.Backoff(p.now)
	if w := p.c.Wait(p.now, 1400); w > 2*ms {
		t.Errorf("pause of %v after a report", w)
	}
	if p.c.Rate() < rate {
		t.Errorf("the rate fell from %.0f to %.0f B/s", rate, p.c.Rate())
	}
}

func TestStaleAndImpossibleReportsDoNoHarm(t *testing.T) {
	c, now := newController(40*ms), epoch
	n := uint64(sendAll(c, now))
	now = now.Add(40 * ms)
	c.Report(now, Report{Delivered: n, InFlightSent: n, RTT: 40 * ms})
	c.Report(now, Report{Delivered: 1400, InFlightSent: 1400, RTT: time.Hour})
	if c.InFlight() != 0 || c.RTT() > 41*ms {
		t.Errorf("a stale report counted: %d in flight, RTT %v", c.InFlight(), c.RTT())
	}
	c.Report(now, Report{Delivered: 1 << 63, InFlightSent: 1 << 62, RTT: -time.Second})
	if c.InFlight() != 0 || c.flight.delivered > c.flight.sent {
		t.Errorf("more was delivered than sent")
	}
}

func TestPacedDatagramsKeepToTheRate(t *testing.T) {
	p := newPeer()
	p.run(500 * ms)
	c, now := p.c, p.now
	sendAll(c, now)
	start, n := now, 0
	for n < 400 {
		w := c.Wait(now, 1400)
		if c.InFlight()+1400 > c.Window() {
			break
		}
		now = now.Add(w)
		c.Sent(now, 1400)
		n++
	}
	if got := float64(n*1400) / now.Sub(start).Seconds(); n < 20 || got > 1.01*c.Rate() {
		t.Errorf("%d datagrams at %.0f B/s, the rate is %.0f", n, got, c.Rate())
	}
}

func TestUnaskedDatagramsSlowWhatIsPaced(t *testing.T) {
	c, now := newController(40*ms), epoch
	for range 100 {
		c.Sent(now, 1400)
	}
	if w := c.Wait(now, 1400); w <= 0 {
		t.Error("no wait after 140 kB that nobody asked for")
	}
}

func TestSendingAllocatesNothing(t *testing.T) {
	p := newPeer()
	p.run(200 * ms)
	if n := testing.AllocsPerRun(100, func() {
		p.run(5 * ms)
		p.c.Lost(p.now, 1400)
		p.c.Backoff(p.now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWaitAndSent(b *testing.B) {
	c, now := newController(40*ms), epoch
	for b.Loop() {
		now = now.Add(20 * time.Microsecond)
		if c.Wait(now, 1400) == 0 {
			c.Sent(now, 1400)
		}
		c.flight.reported = c.flight.sent
	}
}

func TestLossIsTheShareOfWhatWasSentLately(t *testing.T) {
	p := newPeer()
	if got := p.c.Loss(); got != 0 {
		t.Errorf("%v before anything was sent", got)
	}
	p.run(300 * ms)
	old := p.c.loss.marks[1]
	of := float64(p.c.flight.sent) - old.sent
	p.c.Lost(p.now, int(of/4))
	if got := p.c.Loss(); got < 0.2 || got > 0.3 {
		t.Errorf("loss %v after a quarter was lost", got)
	}
}
