package simcheck

import (
	"fmt"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/sim"
	"github.com/gwyh-go/gwyh/internal/simnet"
)

// spread measures messages of some origins: their cost and their delay, compared with the first message of each
// origin, which is flooded.
type spread struct {
	origins  []*sim.Node
	gap      time.Duration // between two messages
	flood    map[*sim.Node]time.Duration
	ratios   []float64 // time until the last node has the message, divided by that of the flood
	lasts    []time.Duration
	sent     int
	missing  int
	again    int
	copies   float64 // per node and message
	repaired float64 // messages received because they were requested, per message of the run
	crossed  float64 // copies that crossed zones, in the whole cluster, per message
}

// round sends one message from each origin.
func (t *Trial) round(s *spread) (messages []*sim.Message) {
	for _, n := range s.origins {
		m, err := t.Broadcast(n, 256)
		if err != nil {
			t.fail("%v", err)
			continue
		}
		messages = append(messages, m)
		t.Net.RunFor(s.gap)
	}
	return messages
}

// spreadFrom sends two rounds without measuring them, as they may be flooded, and then measures rounds.
func (t *Trial) spreadFrom(s *spread, rounds int) {
	s.flood = map[*sim.Node]time.Duration{}
	for _, m := range t.round(s) {
		s.flood[t.Nodes[m.Origin]] = m.Last
	}
	t.Net.RunFor(3 * time.Second)
	t.round(s)
	t.Net.RunFor(3 * time.Second)
	t.measure(s, rounds)
}

// measure measures more rounds.
func (t *Trial) measure(s *spread, rounds int) {
	before := t.Totals()
	*s = spread{origins: s.origins, gap: s.gap, flood: s.flood}
	var all []*sim.Message
	for range rounds {
		all = append(all, t.round(s)...)
	}
	t.Net.RunFor(5 * time.Second)
	after := t.Totals()
	nodes := float64(len(t.Up()))
	for _, m := range all {
		s.sent++
		s.missing += m.Wanted - m.Heard
		s.again += m.Again
		s.lasts = append(s.lasts, m.Last)
		s.ratios = append(s.ratios, m.Last.Seconds()/s.flood[t.Nodes[m.Origin]].Seconds())
	}
	count := float64(s.sent)
	s.copies = float64(after.Copies-before.Copies) / count / nodes
	s.repaired = float64(after.Repaired-before.Repaired) / count
	s.crossed = float64(after.Crossed-before.Crossed) / count
	slices.Sort(s.ratios)
	slices.Sort(s.lasts)
}

func (s *spread) quantile(q float64) float64 {
	return s.ratios[min(int(q*float64(len(s.ratios))), len(s.ratios)-1)]
}

// noteSpread notes what was measured.
func (t *Trial) noteSpread(what string, s *spread) {
	t.note("%s: %.2f copies for each node; last node %.2f (p50), %.2f (p95) times the flood's, %v (p50); %.2f repaired and %.0f across zones for each message; %d missing, %d again of %d messages",
		what, s.copies, s.quantile(0.5), s.quantile(0.95), s.lasts[len(s.lasts)/2].Round(100*time.Microsecond), s.repaired, s.crossed, s.missing, s.again, s.sent)
	if s.missing > 0 || s.again > 0 {
		t.fail("%s: %d deliveries missing, %d repeated", what, s.missing, s.again)
	}
}

// jittery returns a link with exponentially distributed latencies and, per packet, a tenth of them as mean jitter.
func jittery(loss float64) simnet.Link {
	l := exponential()
	l.Jitter, l.Loss = simnet.Exponential(exponentialMean/10, 0), loss
	return l
}

// paths measures the cost and the delay of messages once their paths are known: without loss, with loss, and after a
// tenth of the nodes crash at once.
func paths(t *Trial) {
	nodes := t.pathNodes()
	for _, is := range []struct {
		loss, copies, p50, p95 float64
	}{{0, 2.2, 1.1, 1.4}, {0.01, 3.1, 1.15, 1.5}, {0.05, 4.1, 1.25, 2}} {
		what := fmt.Sprintf("%d nodes, %v %% loss", nodes, 100*is.loss)
		t.formOn(sim.Config{Nodes: nodes, Link: jittery(0), Formed: true})
		t.Net.RunFor(10 * time.Second)
		t.Net.Adjust(func(l *simnet.Link) { l.Loss = is.loss })
		s := &spread{origins: t.Pick(20), gap: 250 * time.Millisecond}
		t.spreadFrom(s, 5)
		t.noteSpread(what, s)
		t.expectSpread(what, s, is.copies, is.p50, is.p95)
		if is.loss == 0 {
			t.crashTenth(s)
		}
	}
}

// pathNodes returns the number of nodes of a check of paths.
func (t *Trial) pathNodes() int {
	if t.Full {
		return 1000
	}
	return t.sized(300, 60)
}

// expectSpread checks the number of copies and how much later than the flood the last node has a message.
func (t *Trial) expectSpread(what string, s *spread, copies, p50, p95 float64) {
	if is50, is95 := s.quantile(0.5), s.quantile(0.95); s.copies > copies || is50 > p50 || is95 > p95 {
		t.fail("%s: %.2f copies, last node %.2f (p50) and %.2f (p95) times the flood's; want %v, %v and %v", what, s.copies, is50, is95, copies, p50, p95)
	}
}

// crossedMost bounds the copies of a message that cross zones in five regions, once few nodes of a zone carry them.
const crossedMost = 20

// pathsInRegions measures messages in the regions of the world, with the strategy that prefers near nodes: the first ones
// after the flood, and those after them, when each zone has found the nodes that carry messages into it.
func pathsInRegions(t *Trial) {
	core := sim.LAN()
	core.Strategy = overlay.Nearest
	t.formOn(sim.Config{Nodes: t.pathNodes(), Map: sim.Regions(sim.RegionsMax), Core: core, Formed: true, Link: simnet.Link{MTU: 1472}})
	t.Net.RunFor(time.Minute) // until the distances are measured and the links follow them
	s := &spread{origins: t.Pick(20), gap: 250 * time.Millisecond}
	t.spreadFrom(s, 5)
	what := fmt.Sprintf("%d nodes in %d regions", len(t.Nodes), sim.RegionsMax)
	t.noteSpread(what, s)
	t.expectSpread(what, s, 2.3, 1.15, 1.5)
	t.measure(s, 5)
	what += ", later messages"
	t.noteSpread(what, s)
	t.expectSpread(what, s, 2.3, 1.15, 1.5)
	if s.crossed > crossedMost {
		t.fail("%s: %.1f copies cross zones, want %d at most", what, s.crossed, crossedMost)
	}
}

// pathsOfAll measures messages when every node is an origin.
func pathsOfAll(t *Trial) {
	t.formOn(sim.Config{Nodes: t.pathNodes(), Link: jittery(0), Formed: true})
	t.Net.RunFor(10 * time.Second)
	s := &spread{origins: t.Nodes, gap: 10 * time.Millisecond}
	t.spreadFrom(s, max(1, 300/len(t.Nodes))) // a few hundred messages
	what := fmt.Sprintf("%d origins in turn", len(t.Nodes))
	t.noteSpread(what, s)
	t.expectSpread(what, s, 2.3, 1.15, 1.5)
}

// crashTenth crashes a tenth of the nodes at once and measures the next messages, before any node notices.
func (t *Trial) crashTenth(s *spread) {
	for _, n := range t.Pick(len(t.Nodes) / 10) {
		if !slices.Contains(s.origins, n) {
			t.Kill(n)
		}
	}
	next := &spread{origins: s.origins, gap: 10 * time.Millisecond, flood: s.flood}
	t.measure(next, 1)
	t.noteSpread("a tenth crashed, next message", next)
}
