package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

// PROTOCOL.md G6.
func TestHeartbeatsToAllLinksGoOutTogether(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond)})
	c.add(12)
	c.form(10 * time.Second)
	c.net.RunFor(5 * time.Second)
	for i, n := range c.nodes {
		if n.overlay.beat.Before(c.net.Now()) || n.overlay.beat.Sub(c.net.Now()) > 11*time.Second/10 {
			t.Errorf("node %d beats in %v", i, n.overlay.beat.Sub(c.net.Now()))
		}
		for _, p := range n.links {
			if !p.beat.Equal(n.overlay.beat) {
				t.Errorf("node %d beats for %s at %v, for others at %v", i, p.ID, p.beat, n.overlay.beat)
			}
		}
	}
}
