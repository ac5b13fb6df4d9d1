package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

// rarely returns n nodes whose heartbeat interval is longer than their probe interval, at 20 % loss.
func rarely(t *testing.T, n int) *cluster {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) {
		cfg.Heartbeat, cfg.Detection.ProbeInterval, cfg.Detection.ProbeTimeout = 15*time.Second, 5*time.Second, 2*time.Second
	}
	c.add(n)
	c.form(10 * time.Second)
	return c
}

func TestLossKillsNobodyThoughHeartbeatsAreRare(t *testing.T) {
	c := rarely(t, 16)
	c.net.RunFor(time.Minute)
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.2 })
	if count, longest := c.deaths(time.Hour); count > 0 {
		t.Errorf("%d deaths of nodes that live, the longest for %v", count, longest)
	}
}

func TestDeafNodeIsFoundThoughHeartbeatsAreRare(t *testing.T) {
	c := rarely(t, 8)
	c.net.RunFor(time.Minute)
	c.deafen(4)
	if !c.net.RunUntil(time.Minute, func() bool {
		return c.nodes[0].members.Get(c.nodes[4].cfg.ID) == nil || !c.nodes[0].isLive(c.nodes[4].cfg.ID)
	}) {
		t.Error("it is a member after a minute")
	}
}
