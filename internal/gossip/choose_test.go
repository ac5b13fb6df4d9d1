package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func testZone(n int) wire.Zone { return wire.Zone{Name: fmt.Sprint("zone-", n), Valid: true} }

func TestZonesOfAClusterShapeItsLinks(t *testing.T) {
	for _, s := range []overlay.Strategy{overlay.Uniform, overlay.HubAndSpoke, overlay.PreferLocal, overlay.PreferRemote} {
		c := newCluster(t, 1, lan())
		c.tweak = func(i int, cfg *Config) { cfg.Zone, cfg.Strategy = testZone(i%3), s }
		c.add(30)
		for i := 1; i < 30; i++ {
			c.join(i, 0)
		}
		c.net.RunFor(10 * time.Second)
		for i := range 5 {
			c.broadcast(i*5, fmt.Sprint("message ", i), time.Second)
		}
		if s == overlay.HubAndSpoke {
			for i, n := range c.nodes {
				zones := map[wire.Zone]bool{}
				for _, p := range n.links {
					if p.overlay.Subscribed() {
						zones[p.Node.Zone] = true
					}
				}
				if len(zones) != 3 {
					t.Errorf("node %d hears from %d zones, want 3", i, len(zones))
				}
			}
		}
	}
}
