package pacing

import (
	"testing"
	"time"
)

// transfer sends a message and returns the flow after it has arrived.
func transfer(t *testing.T, seed uint64, p pipe, l link, bytes int) (*flow, *pipe) {
	t.Helper()
	w := newWorld(seed)
	p.w = w
	l.pipe = &p
	f := newFlow(w, &l, bytes)
	w.runFor(5*time.Minute, f.done)
	if !f.done() {
		t.Fatalf("%d of %d datagrams arrived in %v", f.unique, f.chunks, w.elapsed())
	}
	return f, &p
}

func TestSlowLinkIsUsedWithLittleLoss(t *testing.T) {
	t.Parallel()
	for _, rtt := range []time.Duration{2 * ms, 40 * ms, 200 * ms} {
		for _, quick := range []bool{false, true} {
			f, p := transfer(t, 1, pipe{bits: 10 * mbit, queue: 64000}, link{rtt: rtt, quick: quick}, 16*mib)
			used := 16 * mib * 8 / (10 * mbit) / f.w.elapsed().Seconds()
			t.Logf("RTT %v, quick Naks %v: %v, %.0f %% used, %.1f %% lost", rtt, quick, f.w.elapsed().Round(ms), 100*used, 100*p.loss())
			if used < 0.80 || p.loss() > 0.05 {
				t.Errorf("RTT %v: %.0f %% used, %.1f %% lost; want 80 %% and at most 5 %%", rtt, 100*used, 100*p.loss())
			}
		}
	}
}

func TestShallowAndDeepQueuesAreUsed(t *testing.T) {
	t.Parallel()
	for _, p := range []pipe{
		{bits: 1 * mbit, queue: 64 << 10},
		{bits: 10 * mbit, queue: 16 << 10},
		{bits: 10 * mbit, queue: 1 << 20},
		{bits: 100 * mbit, queue: 64 << 10},
		{bits: 100 * mbit, queue: 1 << 20},
	} {
		bytes := min(int(p.bits/8*20), 24*mib)
		f, q := transfer(t, 1, p, link{rtt: 40 * ms}, bytes)
		used := float64(bytes*8) / p.bits / f.w.elapsed().Seconds()
		t.Logf("%.0f Mbit/s, queue %d: %.0f %% used, %.1f %% lost", p.bits/mbit, p.queue, 100*used, 100*q.loss())
		if used < 0.80 || q.loss() > 0.10 {
			t.Errorf("%.0f Mbit/s, queue %d: %.0f %% used, %.1f %% lost; want 80 %% and at most 10 %%", p.bits/mbit, p.queue, 100*used, 100*q.loss())
		}
	}
}

var fast = pipe{bits: 1 * gbit, queue: 256 << 10}

func TestFastLinkIsQuick(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rtt   time.Duration
		bytes int
		most  time.Duration
	}{
		{1 * ms, 1 * mib, 50 * ms},
		{1 * ms, 16 * mib, 300 * ms},
		{40 * ms, 1 * mib, 300 * ms},
		{40 * ms, 16 * mib, 900 * ms},
	} {
		f, p := transfer(t, 1, fast, link{rtt: c.rtt}, c.bytes)
		t.Logf("RTT %v, %d MiB: %v, %.1f %% lost", c.rtt, c.bytes/mib, f.w.elapsed().Round(ms), 100*p.loss())
		if f.w.elapsed() > c.most {
			t.Errorf("RTT %v, %d MiB: %v, want at most %v", c.rtt, c.bytes/mib, f.w.elapsed(), c.most)
		}
	}
}

func TestRandomLossAtMostDoublesTheTime(t *testing.T) {
	t.Parallel()
	mean := func(loss float64, rtt time.Duration, bytes int) time.Duration {
		runs := 2 + 10*mib/bytes
		if loss == 0 {
			runs = 1
		}
		var sum time.Duration
		for seed := range uint64(runs) {
			f, _ := transfer(t, seed, fast, link{rtt: rtt, loss: loss}, bytes)
			sum += f.w.elapsed()
		}
		return sum / time.Duration(runs)
	}
	for _, rtt := range []time.Duration{1 * ms, 40 * ms} {
		for _, bytes := range []int{1 * mib, 16 * mib} {
			without := mean(0, rtt, bytes)
			for _, loss := range []float64{0.01, 0.05, 0.10} {
				with := mean(loss, rtt, bytes)
				t.Logf("RTT %v, %d MiB, %2.0f %% lost: %v instead of %v", rtt, bytes/mib, 100*loss, with.Round(ms), without.Round(ms))
				if with > 2*without {
					t.Errorf("RTT %v, %d MiB, %2.0f %% lost: %v instead of %v", rtt, bytes/mib, 100*loss, with, without)
				}
			}
		}
	}
}

func TestHeavyRandomLossIsLearntAndBorne(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		f, _ := transfer(t, seed, fast, link{rtt: 40 * ms, loss: 0.20}, 16*mib)
		t.Logf("20 %% lost: %v", f.w.elapsed().Round(ms))
		if f.w.elapsed() > 15*time.Second {
			t.Errorf("16 MiB at 20 %% loss took %v", f.w.elapsed())
		}
	}
}

func TestSteadyRandomLossDoesNotLowerTheRate(t *testing.T) {
	t.Parallel()
	w := newWorld(1)
	f := newFlow(w, &link{pipe: &pipe{w: w, bits: 20 * mbit, queue: 1 << 20}, rtt: 40 * ms, loss: 0.05}, 1<<30)
	w.runFor(5*time.Second, nil)
	before := f.received
	w.runFor(15*time.Second, nil)
	if rate := float64(f.received-before) * 8 / 15; rate < 16*mbit {
		t.Errorf("%.1f Mbit/s got through of 19", rate/mbit)
	}
}

func TestJitterDoesNotCollapseTheRate(t *testing.T) {
	t.Parallel()
	flat, _ := transfer(t, 1, fast, link{rtt: 40 * ms}, 16*mib)
	for _, jitter := range []time.Duration{1 * ms, 5 * ms, 20 * ms} {
		for seed := range uint64(2) {
			f, _ := transfer(t, seed, fast, link{rtt: 40 * ms, jitter: jitter}, 16*mib)
			t.Logf("jitter %v: %v instead of %v", jitter, f.w.elapsed().Round(ms), flat.w.elapsed().Round(ms))
			if f.w.elapsed() > 2*flat.w.elapsed() {
				t.Errorf("jitter %v: %v instead of %v", jitter, f.w.elapsed(), flat.w.elapsed())
			}
		}
	}
}

// If the mean jitter exceeds the round trip, at least a tenth of the datagrams named as lost arrive late.
func TestJitterBeyondTheRoundTripLeavesARate(t *testing.T) {
	t.Parallel()
	f, _ := transfer(t, 1, fast, link{rtt: 40 * ms, jitter: 50 * ms}, 16*mib)
	t.Logf("jitter 50 ms: %v", f.w.elapsed().Round(ms))
	if f.w.elapsed() > 20*time.Second {
		t.Errorf("16 MiB took %v", f.w.elapsed())
	}
}

func TestLargeDatagramsAreQuickOnLoopback(t *testing.T) {
	t.Parallel()
	for bytes, limit := range map[int]time.Duration{1 * mib: 40 * ms, 16 * mib: 150 * ms} {
		f, p := transfer(t, 1, pipe{bits: 10 * gbit, queue: 1 << 20}, link{rtt: 100 * time.Microsecond, datagram: 60000}, bytes)
		t.Logf("%d MiB: %v, %d lost", bytes/mib, f.w.elapsed().Round(ms), p.dropped)
		if f.w.elapsed() > limit {
			t.Errorf("%d MiB took %v, want at most %v", bytes/mib, f.w.elapsed(), limit)
		}
	}
}
