package gossip

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// regions are five places of the world. regionLatencies has the milliseconds that a datagram takes between two of them.
var regions = []string{"virginia", "oregon", "ireland", "singapore", "sao-paulo"}

var regionLatencies = [5][5]float64{
	{0.5, 31, 38, 108, 57},
	{31, 0.5, 68, 85, 87},
	{38, 68, 0.5, 80, 92},
	{108, 85, 80, 0.5, 160},
	{57, 87, 92, 160, 0.5},
}

// regionFloor returns the mean over the regions of the time to the farthest other region. No broadcast reaches all
// regions sooner, because no indirect path is shorter here than the direct one.
func regionFloor() time.Duration {
	sum := 0.0
	for _, row := range regionLatencies {
		sum += slices.Max(row[:])
	}
	return time.Duration(sum / 5 * float64(time.Millisecond))
}

// world returns a cluster spread over the regions in turn.
func world(t testing.TB, seed uint64, n int, s overlay.Strategy) *cluster {
	c := newCluster(t, seed, simnet.Link{})
	var latencies [][]time.Duration
	for _, row := range regionLatencies {
		var l []time.Duration
		for _, ms := range row {
			l = append(l, time.Duration(ms*float64(time.Millisecond)))
		}
		latencies = append(latencies, l)
	}
	c.net.SetLatencies(regions, latencies, 0.05)
	c.tweak = func(i int, cfg *Config) {
		cfg.Zone = wire.Zone{Name: regions[i%len(regions)], Valid: true}
		cfg.Strategy = s
	}
	c.add(n)
	c.form(60 * time.Second)
	return c
}

// Nearest is compared with what distance allows. How much faster it is than Uniform depends on the regions, and is in
// docs/PERFORMANCE.md. It crosses zones half as often.
func TestNearestBringsMessagesSoonerAndCrossesZonesLess(t *testing.T) {
	t.Parallel()
	n := sized(thousand, brief(200, 100))
	run := func(s overlay.Strategy, loss float64) (last time.Duration, crossed, copies float64) {
		c := world(t, 1, n, s)
		c.net.RunFor(time.Duration(sized(130, 10)) * time.Second)
		c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
		crossing := func(s *stats.Stats) uint64 { return s.BroadcastsCrossZone }
		all := func(s *stats.Stats) uint64 { return s.BroadcastsDelivered + s.BroadcastsDuplicate }
		crossedBefore, before := c.sum(crossing), c.sum(all)
		const messages = 20
		for i := range messages {
			last += c.broadcast(i*47%n, fmt.Sprint("message ", i), time.Second)
		}
		per := float64(messages * n)
		return last / messages, float64(c.sum(crossing)-crossedBefore) / per, float64(c.sum(all)-before) / per
	}
	for _, loss := range []float64{0, 0.05}[:brief(2, 1)] {
		uniform, uniformCrossed, uniformCopies := run(overlay.Uniform, loss)
		nearest, nearestCrossed, nearestCopies := run(overlay.Nearest, loss)
		t.Logf("%d nodes, loss %v: last node after %v with Uniform, %v with Nearest, floor %v; copies per node %.1f and %.1f, across zones %.1f and %.1f",
			n, loss, uniform, nearest, regionFloor(), uniformCopies, nearestCopies, uniformCrossed, nearestCrossed)
		if nearest > regionFloor()*21/20 || nearest > uniform || nearestCrossed > uniformCrossed/2 {
			t.Errorf("loss %v: last node after %v, floor %v, %v with Uniform, %.2f copies across zones against %.2f", loss, nearest, regionFloor(), uniform, nearestCrossed, uniformCrossed)
		}
	}
}

// Without zones, nodes learn distances by measuring.
func TestNearestFindsTheNearWithoutZones(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Exponential(20*time.Millisecond, time.Millisecond)})
	c.tweak = func(i int, cfg *Config) { cfg.Strategy = overlay.Nearest }
	c.add(brief(60, 40))
	c.form(30 * time.Second)
	mean := func() (sum time.Duration) {
		n := 0
		for _, nd := range c.nodes {
			for _, id := range nd.overlay.Choice()[:3] {
				sum += nd.members.Get(id).RTT
				n++
			}
		}
		return sum / time.Duration(n)
	}
	before := mean()
	c.net.RunFor(10 * time.Minute)
	after := mean()
	t.Logf("mean round trip to the three nearest chosen: %v when formed, %v ten minutes later", before, after)
	if after > before/2 {
		t.Errorf("mean round trip %v, before %v", after, before)
	}
}
