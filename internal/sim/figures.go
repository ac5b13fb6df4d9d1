package sim

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/simnet"
)

// Figures are what the library claims of clusters in the LAN preset, unless said.
func Figures() []Check {
	return []Check{
		{"crash", "a crash is suspected within 2.7 s and known to all within 5.2 s (medians of 20)", crash(0)},
		{"crash-lossy", "the same at 5 % loss", crash(0.05)},
		{"no-false-death", "no node dies wrongly at 5 % loss", noFalseDeath},
		{"false-death-refuted", "at 20 % loss whoever is taken for dead is back within 2 s", falseDeathRefuted},
		{"halves", "two halves that meet again after five minutes are one within three, their states within four", halves},
		{"idle-cost", "at rest no node carries more than 40 packets and 8 kB a second; it grows as the log of the cluster at most", idleCost},
		{"last-node", "with exponential distances the last node hears within 2.9 mean ones", lastNode},
		{"join-cost", "to join costs a node 100 kB and 190 bytes for each member: 2 MB of 10,000", joinCost},
		{"mass-start", "when all nodes join one at the same moment, that one is not drowned", massStart},
		{"large", "1 MiB crosses the network 2.2 times for each node; 5 % loss makes it take 1.6 times as long", largeMessages},
		{"nearest", "in five regions Nearest brings the last node 30 % sooner than Uniform, with half the copies across", strategies(0)},
		{"nearest-lossy", "the same at 5 % loss", strategies(0.05)},
	}
}

// crashed bounds the medians of crashes.
const (
	suspectedWithin = 2700 * time.Millisecond
	knownWithin     = 5200 * time.Millisecond
	crashesTried    = 20
)

// crash crashes nodes one after another, each in a cluster of its full size.
func crash(loss float64) func(*Trial) {
	return func(t *Trial) {
		crashOf(t, 50, loss)
		if !t.Quick {
			crashOf(t, 500, loss)
		}
		if t.Full {
			crashOf(t, 2000, loss)
		}
	}
}

func crashOf(t *Trial, nodes int, loss float64) {
	t.formOn(Config{Nodes: nodes, Link: lan(loss), Formed: true})
	var f Failure
	var falls []*Fall
	for range crashesTried {
		n := t.Pick(1)[0]
		fall := t.Kill(n)
		t.AwaitKnown(fall, 30*time.Second)
		falls = append(falls, fall...)
		t.Net.RunFor(t.between(time.Second, 2*time.Second))
		t.Restart(n, t.others(n)...)
		t.Net.RunFor(t.between(time.Second, 3*time.Second))
	}
	f.count(falls)
	t.note("of %d nodes: suspected after %s; known after %s", nodes, f.Suspected.text(), f.Known.text())
	if f.Unnoticed > 0 {
		t.fail("%d of %d crashes not known to all %d nodes after 30 s", f.Unnoticed, len(falls), nodes)
	}
	if p := time.Duration(f.Suspected.P50); p > suspectedWithin {
		t.fail("of %d nodes, suspected after %v, want %v", nodes, p, suspectedWithin)
	}
	if p := time.Duration(f.Known.P50); p > knownWithin {
		t.fail("of %d nodes, known after %v, want %v", nodes, p, knownWithin)
	}
}

func noFalseDeath(t *Trial) {
	t.formOn(Config{Nodes: t.sized(200, 30), Link: lan(0.05), Formed: true})
	since := t.Net.Elapsed()
	t.Net.RunFor(t.minutes(2, 10, 60))
	lies := t.Lies(since)
	t.note("%d false deaths among %d nodes in %v", len(lies), len(t.Nodes), t.Net.Elapsed()-since)
	t.expectNoLies(since)
}

func falseDeathRefuted(t *Trial) {
	t.formOn(Config{Nodes: t.sized(200, 30), Link: lan(0.2), Formed: true})
	since := t.Net.Elapsed()
	t.Net.RunFor(t.minutes(1, 5, 60))
	lies, worst := t.Lies(since), time.Duration(0)
	for _, l := range lies {
		worst = max(worst, l.Refuted)
		if late := l.Refuted == 0 && t.Net.Elapsed()-l.At > refuteWithin; late || l.Refuted > refuteWithin {
			t.fail("%s took %s for dead at %v, refuted after %v", l.By.Name, l.About.Name, l.At, l.Refuted)
		}
	}
	t.note("%d false deaths among %d nodes in %v, refuted after %v at most", len(lies), len(t.Nodes), t.Net.Elapsed()-since, worst)
}

func halves(t *Trial) {
	t.formOn(Config{Nodes: t.sized(500, 20), Link: lan(0), Formed: true, Core: withState(LAN())})
	half := t.Pick(len(t.Nodes) / 2)
	b := t.Net.Partition(addrs(half), addrs(t.rest(half)))
	t.Net.RunFor(4 * time.Minute)
	for _, n := range t.Nodes {
		t.Learn(n)
	}
	t.Net.RunFor(time.Minute)
	b.Heal()
	healed := t.Net.Elapsed()
	t.awaitTruth(truthWithin)
	t.awaitFacts(4*time.Minute - (t.Net.Elapsed() - healed))
}

// idleCost compares nodes at rest in clusters of several sizes.
func idleCost(t *Trial) {
	const span = time.Minute
	sizes := []int{t.sized(100, 20), t.sized(1000, 60)}
	var busiest []float64
	for _, n := range sizes {
		t.formOn(Config{Nodes: n, Link: lan(0), Formed: true})
		t.Net.RunFor(3 * time.Minute)
		before := t.meter()
		t.Net.RunFor(span)
		u := t.since(before)
		t.note("of %d nodes the busiest sends %.1f packets and %.2f kB a second, receives %.1f and %.2f; mean %.1f and %.2f", n,
			u.Busiest.SentPackets, u.Busiest.SentBytes/1e3, u.Busiest.ReceivedPackets, u.Busiest.ReceivedBytes/1e3, u.Mean.SentPackets, u.Mean.SentBytes/1e3)
		busiest = append(busiest, u.Mean.SentBytes)
		if p := max(u.Busiest.SentPackets, u.Busiest.ReceivedPackets); p > 40 {
			t.fail("%.1f packets/s at a node of %d, want 40", p, n)
		}
		if b := max(u.Busiest.SentBytes, u.Busiest.ReceivedBytes); b > 8000 {
			t.fail("%.0f B/s at a node of %d, want 8000", b, n)
		}
	}
	if growth, limit := busiest[1]/busiest[0], math.Log(float64(sizes[1]))/math.Log(float64(sizes[0])); growth > limit {
		t.fail("the cost grows by %.2f from %d to %d nodes, the log by %.2f", growth, sizes[0], sizes[1], limit)
	}
}

// text writes the spread of durations.
func (s *Spread) text() string {
	round := func(m Millis) time.Duration { return time.Duration(m).Round(10 * time.Millisecond) }
	return fmt.Sprintf("%v in the mean, %v median, %v at most", round(s.Mean), round(s.P50), round(s.Max))
}

var strategyNames = map[gossip.Strategy]string{gossip.Uniform: "Uniform", gossip.Nearest: "Nearest"}

// strategies compares what Nearest brings against Uniform in the regions of the world.
func strategies(loss float64) func(*Trial) {
	return func(t *Trial) {
		last, crossed := map[gossip.Strategy]time.Duration{}, map[gossip.Strategy]float64{}
		for _, s := range []gossip.Strategy{gossip.Uniform, gossip.Nearest} {
			core := LAN()
			core.Strategy = s
			t.formOn(Config{Nodes: t.sized(1000, 100), Map: Regions(RegionsMax), Core: core, Formed: true, Link: simnet.Link{MTU: 1472}})
			t.Net.RunFor(time.Minute)
			t.Net.Adjust(func(l *simnet.Link) { l.Loss = loss })
			p := Plan{Config: t.cfg, Rate: 2, Duration: 10 * time.Second, Size: 256}
			b, _ := p.measure(context.Background(), t.Cluster, func(string, int, int) {})
			last[s], crossed[s] = time.Duration(b.Last.Mean), b.CrossZone
			t.note("%s: last node after %s, %.1f copies per node across zones", strategyNames[s], b.Last.text(), b.CrossZone)
			if b.Missing > 0 {
				t.fail("%d of %d deliveries missing", b.Missing, b.Wanted)
			}
		}
		if a, b := last[gossip.Nearest], last[gossip.Uniform]; float64(a) > 0.7*float64(b) {
			t.fail("the last node hears after %v with Nearest, %v with Uniform: want 30 %% less", a, b)
		}
		if a, b := crossed[gossip.Nearest], crossed[gossip.Uniform]; a > b/2 {
			t.fail("%.2f copies cross zones with Nearest, %.2f with Uniform: want at most half", a, b)
		}
	}
}
