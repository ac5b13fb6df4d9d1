package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// probing returns two nodes that probe their path, which carries mtu bytes.
func probing(t *testing.T, mtu int, loss float64) *cluster {
	t.Helper()
	link := gigabit()
	link.MTU, link.Loss = mtu, loss
	c := newCluster(t, 1, link)
	c.tweak = func(_ int, cfg *Config) { cfg.DatagramMax = DatagramProbed }
	c.add(2)
	c.form(5 * time.Second)
	return c
}

func (c *cluster) setMTU(mtu int) {
	c.net.Adjust(func(l *simnet.Link) { l.MTU = mtu })
}

func TestLargestDatagramOfAPathIsFound(t *testing.T) {
	for _, x := range []struct {
		mtu, want int
		loss      float64
	}{{65_507, 8952, 0}, {8952, 8952, 0}, {8940, 4322, 0}, {1472, 1472, 0}, {1460, 1452, 0}, {1400, 1400, 0}, {1472, 1472, 0.05}, {65_507, 8952, 0.05}} {
		c := probing(t, x.mtu, x.loss)
		c.net.RunFor(10 * time.Second)
		got := c.nodes[0].links[0].Packets.Path().Size()
		if got > x.want || got < x.want-8 {
			t.Errorf("a path of %d bytes with loss %v: datagrams of %d, want %d", x.mtu, x.loss, got, x.want)
		}
		before := c.nodes[0].stats
		msg := []byte(payload(1<<20, 1))
		if c.spread(0, msg, 5*time.Second) == 0 {
			t.Errorf("a path of %d bytes: 1 MiB did not arrive", x.mtu)
		}
		if n := c.nodes[0].stats.SentDatagrams - before.SentDatagrams; x.loss == 0 && int(n) > (1<<20)/(x.want-200)+40 {
			t.Errorf("a path of %d bytes: %d datagrams for 1 MiB", x.mtu, n)
		}
	}
}

// If the path is narrower than the initial datagram size, a node sends no full member list before that is found out.
func TestClusterFormsOnAPathNarrowerThanItsDatagrams(t *testing.T) {
	t.Parallel()
	for _, mtu := range []int{1200, 1300} {
		link := gigabit()
		link.MTU = mtu
		c := newCluster(t, 1, link)
		c.tweak = func(_ int, cfg *Config) { cfg.DatagramMax = DatagramProbed }
		c.add(50)
		took := c.form(30 * time.Second)
		for i, n := range c.nodes {
			if err := joinErrors(n.joined); err != nil {
				t.Errorf("a path of %d bytes: node %d: %v", mtu, i, err)
			}
		}
		msg := []byte(payload(1<<20, 1))
		if c.spread(0, msg, 10*time.Second) == 0 {
			t.Errorf("a path of %d bytes: 1 MiB did not arrive", mtu)
		}
		c.exactlyOnce(0, msg)
		t.Logf("50 nodes on a path of %d bytes are whole after %v", mtu, took)
	}
}

func TestPeerIsSentNoMoreThanItTakes(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.tweak = func(i int, cfg *Config) {
		cfg.DatagramMax = DatagramProbed
		if i == 1 {
			cfg.DatagramTaken = 2000
		}
	}
	c.add(2)
	c.form(5 * time.Second)
	most := 0
	n := c.nodes[0]
	for range 2000 {
		c.net.RunFor(5 * time.Millisecond)
		most = max(most, n.links[0].Packets.Path().Size())
	}
	if most > 2000 {
		t.Errorf("datagrams of %d bytes sent to a node that takes 2000", most)
	}
}

// A path that becomes narrower drops large datagrams silently.
func TestBlackHoleIsFoundAndLeft(t *testing.T) {
	c := probing(t, 65_507, 0)
	c.net.RunFor(10 * time.Second)
	n := c.nodes[0]
	p := n.links[0]
	if p.Packets.Path().Size() < 8900 {
		t.Fatalf("datagrams of %d bytes", p.Packets.Path().Size())
	}
	c.setMTU(1472)
	msg := []byte(payload(1<<20, 1))
	took := c.spread(0, msg, 20*time.Second)
	t.Logf("1 MiB into a black hole of 1472 bytes took %v", took)
	c.net.RunFor(2 * time.Second) // the probes of the current size have ended
	if took == 0 || p.Packets.Path().Size() > 1472 || n.Stats().PathsShrunk != 1 {
		t.Errorf("took %v, datagrams of %d bytes, shrunk %d times", took, p.Packets.Path().Size(), n.Stats().PathsShrunk)
	}
	c.exactlyOnce(0, msg)
	c.net.RunFor(2 * time.Minute)
	if p.Packets.Path().Size() < 1460 || p.Packets.Path().Size() > 1472 {
		t.Errorf("after the next search datagrams of %d bytes, want 1472", p.Packets.Path().Size())
	}
	c.setMTU(1250)
	small := make([][]byte, 0, 20)
	for i := range 20 {
		small = append(small, []byte(payload(1300, byte(i))))
		c.do(0, func(now time.Time) {
			if err := n.Broadcast(now, small[i]); err != nil {
				t.Fatal(err)
			}
		})
		c.net.RunFor(300 * time.Millisecond)
	}
	c.net.RunFor(10 * time.Second)
	got := 0
	for _, msg := range small {
		got += c.nodes[1].got[key(msg)]
	}
	t.Logf("%d of 20 messages of 1,300 bytes passed a path of 1,250; datagrams of %d", got, p.Packets.Path().Size())
	if got != 20 || p.Packets.Path().Size() > 1250 {
		t.Errorf("%d of 20 messages arrived, datagrams of %d bytes", got, p.Packets.Path().Size())
	}
}

// Loss for other reasons does not reduce the size of a path.
func TestLossIsNoBlackHole(t *testing.T) {
	c := probing(t, 65_507, 0.1)
	c.net.RunFor(10 * time.Second)
	for i := range 20 {
		msg := []byte(payload(1<<20, byte(i)))
		if c.spread(0, msg, 20*time.Second) == 0 {
			t.Error("1 MiB did not arrive")
		}
		c.net.RunFor(500 * time.Millisecond)
	}
	if n := c.sum(func(s *stats.Stats) uint64 { return s.PathsShrunk }); n != 0 {
		t.Errorf("%d paths were made smaller by loss of 10 %%", n)
	}
}

func TestRefusedProbeTriesTheNextSize(t *testing.T) {
	c := probing(t, 65_507, 0)
	n := c.nodes[0]
	p := n.links[0]
	c.net.RunUntil(10*time.Second, func() bool { return p.Packets.Path().ProbesWhole() })
	c.do(0, func(now time.Time) { n.Refused(now, wire.Path{Remote: c.nodes[1].addr}, 8952, true) })
	c.net.RunFor(10 * time.Second)
	if got := p.Packets.Path().Size(); got != 4322 {
		t.Errorf("datagrams of %d bytes, want those of the next size", got)
	}
}
