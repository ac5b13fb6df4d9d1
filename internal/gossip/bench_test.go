package gossip

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// hub is a node with ten links whose peers report at once everything that they receive. One of these peers seals
// broadcasts for it.
type hub struct {
	*Core
	now     time.Time
	path    wire.Path
	from    *node
	session *session.Session
	payload []byte
	plain   []byte
	packet  []byte
}

func newHub(tb testing.TB, suite session.Suite, size int) *hub {
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
	n, from := c.nodes[0], c.nodes[1]
	if len(n.links) != 10 {
		tb.Fatalf("%d links, want 10", len(n.links))
	}
	h := &hub{Core: n.Core, now: c.net.Now(), path: wire.Path{Remote: from.addr}, from: from,
		session: from.peers[n.cfg.ID].Sessions.Current(c.net.Now()), payload: make([]byte, size)}
	for range 200 { // until the scratch buffers and the pacing reach their sizes
		h.next()
		h.take()
	}
	return h
}

// next seals a new broadcast, slightly later than the last one.
func (h *hub) next() {
	h.now = h.now.Add(time.Millisecond)
	h.feedback()
	h.seal()
}

func (h *hub) seal() {
	h.plain = wire.AppendCast(h.plain[:0], wire.KindCast, h.from.ids.Broadcast(), 0, h.payload)
	h.packet = h.session.Seal(h.now, h.packet[:0], h.plain)
}

// feedback makes the packets that the peers would send: they are alive, and received everything.
func (h *hub) feedback() {
	for _, p := range h.links {
		p.Swim.Heard = h.now
		p.Packets.Pace().Report(h.now, pacing.Report{Delivered: p.Packets.Sent(), InFlightSent: p.Packets.Sent(), RTT: time.Millisecond})
	}
}

// prune makes peers send a Prune for the origin.
func (h *hub) prune(peers []*peer) {
	var s wire.Steer
	var m wire.Message
	s.Add(h.from.ids.Origin(), false)
	_, _ = wire.ParseMessage(&m, wire.AppendList(nil, wire.KindPrune, wire.MessageID{}, s.Bytes()))
	for _, p := range peers {
		h.broadcast.Disseminator.HandleSteer(&p.Neighbor, m.Data, true)
	}
}

// take gives the packets to the hub, as the loop does.
func (h *hub) take() {
	if due := h.NextTimeout(); !due.After(h.now) {
		h.HandleTimeout(h.now)
	}
	h.HandleDatagram(h.now, h.path, h.packet)
	h.Drain(h.now, func(wire.Path, []byte) {})
	h.Events()
}

func TestForwardingAllocatesOnlyWhatTheApplicationGets(t *testing.T) {
	h := newHub(t, session.NaCl, 256)
	forwarded := h.stats.SentDatagrams
	allocs := testing.AllocsPerRun(1000, func() {
		h.next()
		h.take()
	})
	if allocs > 1 {
		t.Errorf("%v allocations for a broadcast to nine links, want 1", allocs)
	}
	if forwarded = h.stats.SentDatagrams - forwarded; forwarded < 9*1000 {
		t.Errorf("%d datagrams for 1000 broadcasts: not all were forwarded", forwarded)
	}
}

// BenchmarkForwardToNineLinks handles one broadcast of 256 B: parse, open, deliver, seal for nine links.
func BenchmarkForwardToNineLinks(b *testing.B) {
	for _, x := range []struct {
		name  string
		suite session.Suite
		debug bool
		eager bool // two links only have not pruned the origin
	}{{"nacl", session.NaCl, false, false}, {"nacl, eager", session.NaCl, false, true}, {"null", session.Null, false, false}, {"null at DEBUG", session.Null, true, false}} {
		b.Run(x.name, func(b *testing.B) {
			h := newHub(b, x.suite, 256)
			h.SetDebug(x.debug)
			if x.eager {
				h.prune(h.links[3:])
			}
			var packets [1024][]byte
			sent := h.stats.SentDatagrams
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(packets) == 0 { // rarely: stopping the clock empties the caches
					b.StopTimer()
					for k := range packets {
						h.seal() // in no time, because the links would seem slower than they are
						packets[k] = append(packets[k][:0], h.packet...)
					}
					b.StartTimer()
				}
				h.packet = packets[i%len(packets)]
				h.now = h.now.Add(time.Millisecond)
				if i%20 == 0 { // as often as peers report
					h.feedback()
				}
				h.take()
			}
			b.ReportMetric(float64(h.stats.SentDatagrams-sent)/float64(b.N), "copies/op")
		})
	}
}

// waking counts the timeouts of all nodes.
type waking struct {
	*node
	timeouts *int
}

func (w waking) HandleTimeout(now time.Time) {
	*w.timeouts++
	w.node.HandleTimeout(now)
}

// BenchmarkSpacedMessages sends messages of 256 B from random nodes of 50, 10 ms apart. Except for the time, which is that of
// all nodes together, the figures are of one message at one node.
func BenchmarkSpacedMessages(b *testing.B) {
	const nodes = 50
	timeouts := 0
	c := newCluster(b, 1, simnet.Link{Latency: simnet.Exponential(500*time.Microsecond, 100*time.Microsecond)})
	c.tweak = func(_ int, cfg *Config) { cfg.Suite = session.NaCl }
	for range nodes {
		n := c.make(len(c.nodes))
		c.nodes = append(c.nodes, n)
		c.net.Add(simnet.HostConfig{Addr: n.addr, Name: n.cfg.Name}, waking{n, &timeouts})
	}
	c.form(10 * time.Second)
	c.net.RunFor(10 * time.Second)
	sent := func() (sum uint64) {
		for _, n := range c.nodes {
			sum += n.stats.SentDatagrams
		}
		return sum
	}
	rng := rand.New(rand.NewPCG(1, 0))
	payload := make([]byte, 256)
	begin, woken := sent(), timeouts
	for b.Loop() {
		i := rng.IntN(nodes)
		c.do(i, func(now time.Time) { _ = c.nodes[i].Broadcast(now, payload) })
		c.net.RunFor(10 * time.Millisecond)
		for _, n := range c.nodes {
			clear(n.got)
			clear(n.at)
		}
	}
	per := float64(b.N * nodes)
	b.ReportMetric(float64(sent()-begin)/per, "datagrams/op")
	b.ReportMetric(float64(timeouts-woken)/per, "timeouts/op")
}
