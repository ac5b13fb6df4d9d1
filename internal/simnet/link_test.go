package simnet

import (
	"math"
	"slices"
	"testing"
	"time"
)

// latencies sends datagrams one after another and returns the latency of each.
func latencies(t *testing.T, link Link, count int) []time.Duration {
	t.Helper()
	n := New(Config{Seed: 3, Link: link})
	p := addProbes(n, 2)
	start := n.Now()
	send(n, p[0], testAddr(0), testAddr(1), count, 8)
	n.RunFor(time.Hour)
	var took []time.Duration
	for _, a := range p[1].got {
		took = append(took, a.at.Sub(start))
	}
	if len(took) != count {
		t.Fatalf("%d of %d arrived", len(took), count)
	}
	return took
}

func meanAndDeviation(d []time.Duration) (mean, deviation float64) {
	for _, x := range d {
		mean += float64(x)
	}
	mean /= float64(len(d))
	for _, x := range d {
		deviation += (float64(x) - mean) * (float64(x) - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(d)))
}

func within(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance*want }

func TestJitterHasItsDistribution(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name      string
		d         Dist
		deviation float64 // ms
		lo, hi    time.Duration
	}{
		{"constant", Constant(20 * ms), 0, 20 * ms, 20 * ms},
		{"uniform", Uniform(10*ms, 30*ms), 20 / math.Sqrt(12), 10 * ms, 30 * ms},
		{"exponential", Exponential(20*ms, 0), 20, 0, time.Second},
		{"exponential with floor", Exponential(20*ms, 5*ms), 15, 5 * ms, time.Second},
	} {
		took := latencies(t, Link{Jitter: c.d}, 8_000)
		mean, deviation := meanAndDeviation(took)
		if c.d.Mean() != 20*ms || !within(mean, float64(20*ms), 0.03) {
			t.Errorf("%s: mean %v, want 20ms", c.name, time.Duration(mean))
		}
		if !within(deviation, c.deviation*float64(ms), 0.03) {
			t.Errorf("%s: standard deviation %v, want %v ms", c.name, time.Duration(deviation), c.deviation)
		}
		if lo, hi := slices.Min(took), slices.Max(took); lo < c.lo || hi > c.hi {
			t.Errorf("%s: from %v to %v", c.name, lo, hi)
		}
	}
}

func TestLatencyBelongsToThePairOfHosts(t *testing.T) {
	const hosts = 80
	n := New(Config{Seed: 3, Link: Link{Latency: Exponential(20*time.Millisecond, 0)}})
	p := addProbes(n, hosts)
	for range 2 {
		for i := range p {
			n.Do(testAddr(i), func(time.Time) {
				for j := range p {
					if j != i {
						p[i].queue(testAddr(j), uint64(i), 8)
					}
				}
			})
		}
	}
	start := n.Now()
	n.RunFor(time.Minute)
	var all []time.Duration
	took := map[[2]int]time.Duration{}
	for j := range p {
		for _, a := range p[j].got {
			pair := [2]int{min(int(a.id), j), max(int(a.id), j)}
			d := a.at.Sub(start)
			if before, known := took[pair]; known && before != d {
				t.Fatalf("hosts %v are %v and %v apart", pair, before, d)
			} else if !known {
				all = append(all, d)
			}
			took[pair] = d
		}
	}
	// The bounds are four standard errors: 1.8 % of the mean and 2.5 % of the deviation, for this number of pairs.
	mean, deviation := meanAndDeviation(all)
	if len(all) != hosts*(hosts-1)/2 || !within(mean, 20e6, 0.072) || !within(deviation, 20e6, 0.10) {
		t.Errorf("%d pairs, mean %v, deviation %v", len(all), time.Duration(mean), time.Duration(deviation))
	}
}

func TestSetLatenciesFillsTheMatrix(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Loss: 0.25}})
	names := []string{"a", "b", "c"}
	const ms = time.Millisecond
	n.SetLatencies(names, [][]time.Duration{{1 * ms, 2 * ms, 3 * ms}, {4 * ms, 5 * ms, 6 * ms}, {7 * ms, 8 * ms, 9 * ms}}, 0.5)
	if l := n.ZoneLink("b", "c"); l.Latency != Constant(6*ms) || l.Jitter.Mean() != 3*ms || l.Loss != 0.25 {
		t.Errorf("from b to c: %+v", l)
	}
	if z := n.ZoneLink("a", "elsewhere"); z.Loss != 0.25 || n.ZoneStats("a", "elsewhere") != (Traffic{}) || len(n.Zones()) != 3 {
		t.Errorf("to a zone nobody named: %+v, zones %v", z, n.Zones())
	}
	n.SetDefaultLink(Link{})
	for i, zone := range names {
		n.Add(HostConfig{Addr: testAddr(i), Zone: zone}, &probe{})
	}
	if l := n.LinkBetween(testAddr(2), testAddr(0)); l.Latency != Constant(7*ms) {
		t.Errorf("from c to a: %+v", l)
	}
}

func TestLossDuplicationAndReorderingHaveTheirRates(t *testing.T) {
	const count = 20_000
	n := New(Config{Seed: 4, Link: Link{
		Latency: Constant(time.Millisecond), Ordered: true,
		Loss: 0.05, Duplicate: 0.02, Reorder: 0.1, ReorderDelay: Constant(time.Second),
	}})
	p := addProbes(n, 2)
	send(n, p[0], testAddr(0), testAddr(1), count, 8)
	start := n.Now()
	n.RunFor(time.Minute)
	s := n.Stats()
	if s.Sent != count || !within(float64(s.Lost[LostOnLink]), 0.05*count, 0.1) {
		t.Errorf("%d of %d lost, want 5 %%", s.Lost[LostOnLink], s.Sent)
	}
	passed := float64(count - s.Lost[LostOnLink])
	if !within(float64(s.Duplicated), 0.02*passed, 0.1) || uint64(len(p[1].got)) != count-s.Lost[LostOnLink]+s.Duplicated {
		t.Errorf("%d duplicated, %d arrived", s.Duplicated, len(p[1].got))
	}
	late := 0
	for _, a := range p[1].got {
		if a.at.Sub(start) > time.Second {
			late++
		}
	}
	if uint64(late) != s.Reordered || !within(float64(late), 0.1*1.02*passed, 0.05) {
		t.Errorf("%d late, %d reordered, want 10 %%", late, s.Reordered)
	}
}

func TestJitterOvertakesUnlessOrdered(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		n := New(Config{Seed: 4, Link: Link{Jitter: Exponential(time.Millisecond, 0), Ordered: ordered}})
		p := addProbes(n, 2)
		send(n, p[0], testAddr(0), testAddr(1), 1000, 8)
		n.RunFor(time.Minute)
		if got := slices.IsSorted(ids(p[1].got)); len(p[1].got) != 1000 || got != ordered {
			t.Errorf("Ordered %v: arrived in order: %v", ordered, got)
		}
	}
}

func TestLinkOverZoneOverDefault(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Latency: Constant(1)}})
	for i, zone := range []string{"a", "a", "b", "b"} {
		n.Add(HostConfig{Addr: testAddr(i), Zone: zone}, &probe{})
	}
	n.SetZoneLink("a", "b", Link{Latency: Constant(2)})
	n.SetLink(testAddr(0), testAddr(2), Link{Latency: Constant(3)})
	check := func(from, to int, want time.Duration) {
		t.Helper()
		if l := n.LinkBetween(testAddr(from), testAddr(to)); l.Latency != Constant(want) {
			t.Errorf("from %d to %d: %v, want %v", from, to, l.Latency, want)
		}
	}
	check(0, 1, 1)
	check(2, 0, 1)
	check(0, 3, 2)
	check(0, 2, 3)
	n.ResetLink(testAddr(0), testAddr(2))
	check(0, 2, 2)
	n.SetDefaultLink(Link{Latency: Constant(4)})
	check(1, 0, 4)
	check(0, 2, 2)
	n.SetLink(testAddr(0), testAddr(2), Link{Latency: Constant(3)})
	n.Adjust(func(l *Link) { l.Loss = 0.5 })
	for i := range 4 {
		for j := range 4 {
			if i != j && n.LinkBetween(testAddr(i), testAddr(j)).Loss != 0.5 {
				t.Errorf("from %d to %d: not adjusted", i, j)
			}
		}
	}
	check(0, 2, 3)
}

func TestDatagramAboveTheMTUIsLost(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 3)
	n.SetLink(testAddr(0), testAddr(1), Link{MTU: 1400})
	for _, size := range []int{1400, 1401, MaxDatagram, MaxDatagram + 1} {
		send(n, p[0], testAddr(0), testAddr(1), 1, size)
		send(n, p[0], testAddr(0), testAddr(2), 1, size)
	}
	n.RunFor(time.Second)
	if len(p[1].got) != 1 || len(p[2].got) != 3 || n.Stats().Lost[LostTooLong] != 4 {
		t.Errorf("%d and %d arrived, %d were too long", len(p[1].got), len(p[2].got), n.Stats().Lost[LostTooLong])
	}
}
