package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// hub is a node with ten links, and a function that makes boxes of broadcasts as one of its links
// seals them.
func hub(tb testing.TB, suite session.Suite, size int) (*Core, func() (wire.Path, []byte)) {
	tb.Helper()
	c := newCluster(tb, 1, lan())
	c.tweak = func(i int, cfg *Config) {
		cfg.Suite = suite
		cfg.Subscriptions = 1
		if i == 0 {
			cfg.Subscriptions = 10
		}
	}
	c.add(11)
	c.form(5 * time.Second)
	n := c.nodes[0]
	if len(n.links) != 10 {
		tb.Fatalf("%d links, want 10", len(n.links))
	}
	from := c.nodes[1]
	p, payload := from.peers[n.cfg.ID], make([]byte, size)
	var plain, packet []byte
	now := c.net.Now()
	return n.Core, func() (wire.Path, []byte) {
		plain = wire.AppendBroadcast(plain[:0], wire.Bin, from.newBroadcastID(), payload)
		packet = p.set.Current(now).Seal(now, packet[:0], plain)
		return wire.Path{Remote: from.addr}, packet
	}
}

// steady counts the allocations of one inbound broadcast, whose only one is what the application gets.
func TestForwardingAllocatesOnlyWhatTheApplicationGets(t *testing.T) {
	core, next := hub(t, session.NaCl, 256)
	now := core.now
	drop := func(wire.Path, []byte) {}
	for range 100 { // the scratch buffers find their sizes
		path, b := next()
		core.HandleDatagram(now, path, b)
		core.Drain(drop)
		core.Events()
	}
	allocs := testing.AllocsPerRun(1000, func() {
		path, b := next()
		core.HandleDatagram(now, path, b)
		core.Drain(drop)
		core.Events()
	})
	if allocs > 1 {
		t.Errorf("%v allocations for a broadcast to nine links, want 1", allocs)
	}
}

// One inbound broadcast of 256 B: parse, open, deliver, seal for nine links.
func BenchmarkForwardToNineLinks(b *testing.B) {
	for name, suite := range map[string]session.Suite{"nacl": session.NaCl, "null": session.Null} {
		b.Run(name, func(b *testing.B) {
			core, next := hub(b, suite, 256)
			now := core.now
			drop := func(wire.Path, []byte) {}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				path, packet := next()
				b.StartTimer()
				core.HandleDatagram(now, path, packet)
				core.Drain(drop)
				core.Events()
			}
		})
	}
}
