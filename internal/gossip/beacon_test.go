package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// beaconing returns a cluster of n nodes in the zones north and south, with beacons every 2 s and latencies from north to
// south and back. The nodes start up to an hour apart, and their clocks are wrong by seconds.
func beaconing(t *testing.T, n int, there, back time.Duration) *cluster {
	t.Helper()
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(5 * time.Millisecond)})
	zones := []string{"north", "south"}
	c.net.SetZoneLink("north", "south", simnet.Link{Latency: simnet.Constant(there)})
	c.net.SetZoneLink("south", "north", simnet.Link{Latency: simnet.Constant(back)})
	c.tweak = func(i int, cfg *Config) {
		cfg.Zone, cfg.Beacon = wire.Zone{Name: zones[i%2], Valid: true}, 2*time.Second
	}
	for i := range n {
		c.add(1)
		c.net.SetClockOffset(c.nodes[i].addr, time.Duration(i-n/2)*3*time.Second)
		c.net.RunFor(time.Duration(i) * time.Second)
	}
	c.form(time.Minute)
	c.net.RunFor(2 * time.Minute)
	return c
}

// propagation returns the median propagation time from a zone to node i.
func (c *cluster) propagation(i int, zone string) time.Duration {
	c.t.Helper()
	for _, z := range c.nodes[i].Beacons().Zones() {
		if z.Name == zone {
			return z.Quantile(0.5)
		}
	}
	c.t.Fatalf("node %d has measured nothing of %q: %+v", i, zone, c.nodes[i].Beacons().Stats)
	return 0
}

func TestBeaconsMeasurePropagationAlthoughClocksAreWrong(t *testing.T) {
	c := beaconing(t, 12, 40*time.Millisecond, 40*time.Millisecond)
	for i, n := range c.nodes {
		own, other := "north", "south"
		if i%2 == 1 {
			own, other = other, own
		}
		// A message takes one hop of 5 ms in its own zone, or two, or two of 40 ms; one of 40 ms and up to two of 5 ms to
		// the other zone.
		if got := c.propagation(i, own); got < 4900*time.Microsecond || got > 20*time.Millisecond {
			t.Errorf("%s: %v from its own zone", n.cfg.Name, got)
		}
		if got := c.propagation(i, other); got < 39900*time.Microsecond || got > 51*time.Millisecond {
			t.Errorf("%s: %v from the other zone", n.cfg.Name, got)
		}
		s := n.Stats()
		if s.BeaconsSent < 50 || s.BeaconsReceived < 11*50 {
			t.Errorf("%s: %d beacons sent, want 50; %d received, want %d", n.cfg.Name, s.BeaconsSent, s.BeaconsReceived, 11*50)
		}
		if s.BeaconsUnmeasured > s.BeaconsReceived/5 {
			t.Errorf("%s: %d of %d beacons were not measured", n.cfg.Name, s.BeaconsUnmeasured, s.BeaconsReceived)
		}
		if s.BroadcastsDelivered != 0 || s.BroadcastsSent != 0 {
			t.Errorf("%s: beacons count as broadcasts: %+v", n.cfg.Name, s.Broadcasts)
		}
		if s.BroadcastsDuplicate != 0 || s.BroadcastsCrossZone != 0 {
			t.Errorf("%s: copies of beacons count as copies of broadcasts: %+v", n.cfg.Name, s.Broadcasts)
		}
		if o := n.Beacons().Origins(c.net.Now(), 100); len(o) != 11 || !o[0].Measured || o[0].Overdue(c.net.Now()) {
			t.Errorf("%s: %d origins", n.cfg.Name, len(o))
		}
		if len(n.got) > 0 {
			t.Errorf("%s: a beacon reached the application", n.cfg.Name)
		}
	}
}

// Nobody can tell an asymmetric path from clocks that differ, so each hop between the zones is wrong by half of the
// difference of its two directions, and the result by no more than half of the round trips on the path.
func TestAsymmetricPathsMakeBeaconsWrongByHalfOfTheDifference(t *testing.T) {
	c := beaconing(t, 12, 80*time.Millisecond, 20*time.Millisecond)
	for i, n := range c.nodes {
		other, truth := "south", 20*time.Millisecond
		if i%2 == 1 {
			other, truth = "north", 80*time.Millisecond
		}
		got := c.propagation(i, other)
		if got < 49900*time.Microsecond || got > 61*time.Millisecond {
			t.Errorf("%s: %v from %s, where the truth is %v and up to two hops of 5 ms", n.cfg.Name, got, other, truth)
		}
		for _, z := range n.Beacons().Zones() {
			if z.Name == other && (got-truth).Abs() > z.Margin {
				t.Errorf("%s: %v differs from %v by more than the margin of %v", n.cfg.Name, got, truth, z.Margin)
			}
		}
	}
}

// Beacons are lost and repaired like messages, so a node with a bad path sees that they come late.
func TestNodeBehindASlowPathSeesThatBeaconsAreLate(t *testing.T) {
	c := beaconing(t, 12, 5*time.Millisecond, 5*time.Millisecond)
	slow := c.nodes[7]
	for _, n := range c.nodes {
		if n != slow {
			c.net.SetLink(n.addr, slow.addr, simnet.Link{Latency: simnet.Constant(5 * time.Millisecond), Loss: 0.75})
		}
	}
	before := slow.Beacons().Zones()
	c.net.RunFor(2 * time.Minute)
	for i, z := range slow.Beacons().Zones() {
		if p95 := z.Quantile(0.95); p95 < 3*before[i].Quantile(0.95) || p95 > 10*time.Second {
			t.Errorf("zone %s: 95 %% within %v, before the loss within %v", z.Name, p95, before[i].Quantile(0.95))
		}
	}
}

func TestClusterWithoutAnIntervalSendsNoBeaconsAndNoClocks(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(4)
	c.form(time.Minute)
	c.net.RunFor(time.Minute)
	for _, n := range c.nodes {
		if s := n.Stats(); s.BeaconsSent+s.BeaconsReceived != 0 || n.Beacons().Active(c.net.Now()) {
			t.Errorf("%s: %+v", n.cfg.Name, s.Broadcasts)
		}
	}
}

// Only one node sends beacons: the others compare clocks as soon as the first one passes.
func TestOneNodeAloneMaySendBeacons(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(5 * time.Millisecond)})
	c.tweak = func(i int, cfg *Config) {
		if i == 3 {
			cfg.Beacon = 2 * time.Second
		}
	}
	c.add(8)
	c.form(time.Minute)
	c.net.RunFor(time.Minute)
	for i, n := range c.nodes {
		if z := n.Beacons().Zones(); i != 3 && (len(z) != 1 || z[0].Count < 20) {
			t.Errorf("%s: %+v, %+v", n.cfg.Name, z, n.Stats().Broadcasts)
		}
	}
}

func TestBeaconsDoNotReachNodesOfGwyh01(t *testing.T) {
	c, o := withOld(t)
	o.says(c, wire.AppendRequest(nil, wire.MessageID{1}, wire.KindStartSubscription))
	for kind, want := range map[wire.Kind]bool{wire.KindBeacon: false, wire.KindCast: true} {
		reached := false
		c.do(0, func(now time.Time) {
			m := beacon.Message{Origin: c.nodes[1].cfg.ID, Made: 1}
			from := c.nodes[0].peers[c.nodes[1].cfg.ID]
			c.nodes[0].broadcast.ReceiveBroadcast(now, &from.Peer, &wire.Message{Kind: kind, ID: c.nodes[1].ids.Broadcast(), Data: m.Data()})
			for _, m := range o.hears(now) {
				reached = reached || m.Kind == wire.KindBroadcast
			}
		})
		if reached != want {
			t.Errorf("%v reached it: %v", kind, reached)
		}
	}
}
