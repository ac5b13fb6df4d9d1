package gossip

import (
	"bytes"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md W10.
func TestFurtherPacketsOfADatagramAreTakenUpToABound(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	n, p := c.nodes[0], c.nodes[1].peers[c.nodes[0].cfg.ID]
	packed := func(packets int) []byte {
		var b []byte
		for range packets {
			b = p.Sessions.Current(c.net.Now()).Seal(c.net.Now(), b, wire.AppendRequest(nil, wire.MessageID{}, wire.KindHeartbeat))
		}
		return b
	}
	for _, x := range []struct {
		packets, beyond int
	}{{1, 0}, {wire.PacketsMax, 0}, {wire.PacketsMax + 3, 1}} {
		before := n.Stats().Dropped[stats.DropOversize]
		c.net.Inject(c.nodes[1].addr, n.addr, packed(x.packets))
		c.net.RunFor(5 * time.Millisecond)
		if got := int(n.Stats().Dropped[stats.DropOversize] - before); got != x.beyond {
			t.Errorf("%d packets: dropped %d times, want %d", x.packets, got, x.beyond)
		}
	}
}

func TestJoinTakesThreeRoundTripsWithItsLink(t *testing.T) {
	const oneWay = 100 * time.Millisecond
	c := withStates(t, 1, simnet.Link{Latency: simnet.Constant(oneWay)}, 2, func(_ int, cfg *Config) { cfg.AllowLegacy = false })
	c.join(1, 0)
	if err := c.joinEnded(1, 1, 6*oneWay+time.Millisecond); err != nil {
		t.Error(err)
	}
	if got := c.nodes[1].app.merged; len(got) != 1 {
		t.Errorf("%d states came with the Join", len(got))
	}
}

// losing is a node whose first datagrams that begin with an OkBoss are lost.
type losing struct {
	*node
	lost int
}

func (l *losing) Drain(now time.Time, send func(to wire.Path, b []byte)) {
	l.node.Drain(now, func(to wire.Path, b []byte) {
		if l.lost > 0 && bytes.Contains(b[:min(len(b), 120)], []byte("OkBoss")) {
			l.lost--
			return
		}
		send(to, b)
	})
}

func TestJoinSurvivesTheLossOfItsFirstBoxes(t *testing.T) {
	for lost := 1; lost <= 3; lost++ {
		c := withStates(t, 1, lan(), 1, func(_ int, cfg *Config) { cfg.PushPullInterval = -1 })
		nd := c.make(1)
		nd.app.state = []byte("state of 1")
		c.nodes = append(c.nodes, nd)
		c.net.Add(simnet.HostConfig{Addr: nd.addr, Name: nd.cfg.Name}, &losing{nd, lost})
		c.join(1, 0)
		if err := c.joinEnded(1, 1, 5*time.Second); err != nil {
			t.Errorf("%d lost: %v", lost, err)
		}
		if a, b := c.nodes[0].app.merged, nd.app.merged; len(a) != 1 || len(b) != 1 {
			t.Errorf("%d lost: %q and %q were merged", lost, a, b)
		}
	}
}
