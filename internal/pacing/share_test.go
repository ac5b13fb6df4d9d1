package pacing

import (
	"slices"
	"testing"
	"time"
)

// shared runs flows through one pipe of 10 Mbit/s, each started lag after the previous one. It returns each flow's share
// after the last one began, and the loss in that time.
func shared(seed uint64, queue, flows int, rtt, lag, d time.Duration) (shares []float64, loss float64) {
	w := newWorld(seed)
	p := &pipe{w: w, bits: 10 * mbit, queue: queue}
	var fs []*flow
	for i := range flows {
		if i > 0 {
			w.runFor(lag, nil)
		}
		fs = append(fs, newFlow(w, &link{pipe: p, rtt: rtt}, 1<<30))
	}
	before := make([]uint64, flows)
	for i, f := range fs {
		before[i] = f.received
	}
	p.sent, p.dropped = 0, 0
	w.runFor(d, nil)
	for i, f := range fs {
		shares = append(shares, float64(f.received-before[i])*8/d.Seconds()/p.bits)
	}
	return shares, p.loss()
}

func TestTwoFlowsShareALink(t *testing.T) {
	t.Parallel()
	for _, rtt := range []time.Duration{2 * ms, 40 * ms, 200 * ms} {
		for _, lag := range []time.Duration{0, 100 * ms, 5 * time.Second} {
			s, loss := shared(1, 64000, 2, rtt, lag, 30*time.Second)
			t.Logf("RTT %v, second after %v: %.0f:%.0f, %.1f %% lost", rtt, lag, 100*s[0], 100*s[1], 100*loss)
			// If two bursts collide, the second is lost entirely, and its sender falls behind by half a second while the
			// other one starts. With few round trips in 30 s, that affects the shares.
			most := 0.60
			if lag == 0 && rtt == 200*ms {
				most = 0.75
			}
			all := s[0] + s[1]
			if max(s[0], s[1])/all > most || all < 0.80 || loss > 0.05 {
				t.Errorf("RTT %v, second after %v: %.2f and %.2f of the link, %.1f %% lost", rtt, lag, s[0], s[1], 100*loss)
			}
		}
	}
}

func TestLateFlowsGetAShare(t *testing.T) {
	t.Parallel()
	for flows, want := range map[int]float64{2: 0.75, 4: 0.6} {
		for _, rtt := range []time.Duration{10 * ms, 50 * ms, 200 * ms} {
			for _, lag := range []time.Duration{20 * ms, 100 * ms, 500 * ms, 2 * time.Second} {
				least, last, loss := 1.0, 0.0, 0.0
				const seeds = 3
				for seed := range uint64(seeds) {
					s, l := shared(seed+1, 64000, flows, rtt, lag, 30*time.Second)
					all := 0.0
					for _, x := range s {
						all += x
					}
					least = min(least, slices.Min(s)/all*float64(flows))
					last += s[flows-1] / all * float64(flows) / seeds
					loss += l / seeds
				}
				t.Logf("%d flows, RTT %v, each %v later: at least %.2f of an equal share, the last one %.2f on average, %.1f %% lost",
					flows, rtt, lag, least, last, 100*loss)
				if least < want {
					t.Errorf("%d flows, RTT %v, each %v later: a flow gets %.2f of an equal share, want %.2f", flows, rtt, lag, least, want)
				}
			}
		}
	}
}

func TestManyFlowsDoNotCollapse(t *testing.T) {
	t.Parallel()
	for _, queue := range []int{64000, 1 << 20} {
		s, loss := shared(1, queue, 8, 40*ms, 37*ms, 60*time.Second)
		all, least, most := 0.0, 1.0, 0.0
		for _, x := range s {
			all, least, most = all+x, min(least, x), max(most, x)
		}
		t.Logf("queue %d: %.0f %% used, shares %.0f to %.0f %%, %.1f %% lost", queue, 100*all, 100*least, 100*most, 100*loss)
		if all < 0.90 || loss > 0.10 || most > 4*least {
			t.Errorf("queue %d: %.0f %% used, shares %.3f, %.1f %% lost", queue, 100*all, s, 100*loss)
		}
	}
}

// A flow that never saw the queue empty considers the delay constant. It must notice the loss that it causes.
func TestFlowsThatNeverSawTheQueueEmptyDoNotCollapse(t *testing.T) {
	t.Parallel()
	w := newWorld(1)
	p := &pipe{w: w, bits: 10 * mbit, queue: 64000}
	var fs []*flow
	for range 8 {
		f := newFlow(w, &link{pipe: p, rtt: 40 * ms}, 1<<30)
		fs = append(fs, f)
	}
	w.runFor(5*time.Second, nil)
	for range 30 {
		for _, f := range fs {
			f.c.delay.mins = [2]time.Duration{f.c.delay.recent[0], 0}
		}
		w.runFor(time.Second, nil)
	}
	p.sent, p.dropped = 0, 0
	w.runFor(5*time.Second, nil)
	t.Logf("%.1f %% lost", 100*p.loss())
	if p.loss() > 0.35 {
		t.Errorf("%.1f %% lost", 100*p.loss())
	}
}
