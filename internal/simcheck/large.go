package simcheck

import (
	"context"
	"time"

	"github.com/gwyh-go/gwyh/internal/sim"
	"github.com/gwyh-go/gwyh/internal/simnet"
)

// exponentialMean is the mean latency in a network with exponentially distributed latencies.
const exponentialMean = 20 * time.Millisecond

func exponential() simnet.Link {
	return simnet.Link{Latency: simnet.Exponential(exponentialMean, 0), MTU: 1472}
}

// lastNode checks the time until the last node of a large cluster has a message, as a multiple of the mean latency.
func lastNode(t *Trial) {
	const want = 2.9
	nodes := t.sized(1000, 200)
	if t.Full {
		nodes = 10_000
	}
	t.formOn(sim.Config{Nodes: nodes, Link: exponential(), Formed: true})
	p := sim.Plan{Config: t.Config(), Rate: 4, Duration: 5 * time.Second, Size: 256}
	b, _ := p.Measure(context.Background(), t.Cluster, func(string, int, int) {})
	last := float64(b.Last.Mean) / float64(exponentialMean)
	t.note("%d nodes: the last one hears after %.2f mean distances, %.1f copies come to each", nodes, last, b.Copies)
	if last > want {
		t.fail("the last of %d nodes hears after %.2f mean distances, want %.1f", nodes, last, want)
	}
	if b.Missing > 0 || b.Again > 0 {
		t.fail("%d of %d deliveries missing, %d repeated", b.Missing, b.Wanted, b.Again)
	}
}

// joinCost checks the cost of one node that joins a large cluster.
func joinCost(t *Trial) {
	const base, each = 100_000, 190 // bytes: for links and handshakes, and per member; 2 MB for 10,000
	nodes := t.sized(2000, 200)
	if t.Full {
		nodes = 10_000
	}
	t.formOn(sim.Config{Nodes: nodes, Link: lan(0), Formed: true})
	n := t.Add()
	begin, start := t.Net.Elapsed(), time.Now()
	t.Join(n, t.Nodes[7])
	if !t.Await(30*time.Second, func() bool { return n.Core.NumMembers() == nodes+1 }) {
		t.fail("it knows %d of %d after 30 s", n.Core.NumMembers(), nodes+1)
	}
	took, busy := t.Net.Elapsed()-begin, time.Since(start)
	t.Net.RunFor(5 * time.Second)
	h := t.Net.HostStats(n.Addr)
	total := int(h.SentBytes + h.ReceivedBytes)
	t.note("of %d nodes: it knows all after %v, %d kB both ways in 5 s more; the whole simulation took %v for it", nodes, took, total/1000, busy.Round(time.Millisecond))
	if want := base + nodes*each; total > want {
		t.fail("%d bytes to join %d nodes, want %d", total, nodes, want)
	}
}

// massStart checks that the seed of a mass start does only a bounded share of the work.
func massStart(t *Trial) {
	nodes := t.sized(1000, 100)
	t.begin(sim.Config{Nodes: nodes, Link: exponential()})
	before := t.Meter()
	took, err := t.Form(time.Minute)
	if err != nil {
		t.fail("%v", err)
	}
	u, seed := t.Since(before), t.Net.HostStats(t.Nodes[0].Addr)
	rate := float64(seed.Sent) / took.Seconds()
	t.note("%d nodes whole after %v; the seed sent %d packets and %d kB, the others %.0f packets and %.0f kB in the mean",
		nodes, took, seed.Sent, seed.SentBytes/1000, u.Mean.SentPackets*took.Seconds(), u.Mean.SentBytes*took.Seconds()/1000)
	if rate > massStartRate {
		t.fail("the seed sent %.0f packets a second, want %d at most", rate, massStartRate)
	}
}

// massStartRate bounds the packets per second that the seed of a mass start sends. Sealing and sending one takes
// about 5 us, so a tenth of a CPU is enough.
const massStartRate = 20_000

// largeMessages checks the cost of 1 MiB messages in a cluster of 100 nodes.
func largeMessages(t *Trial) {
	const size = 1 << 20
	const wantCopies, wantSlower = 1.2, 1.6
	var lossless time.Duration
	for _, loss := range []float64{0, 0.05} {
		t.formOn(sim.Config{Nodes: t.sized(100, 12), Link: simnet.Link{Latency: simnet.Constant(exponentialMean), Rate: simnet.Gbit, Queue: 256 << 10, MTU: 1472, Loss: loss}})
		t.Net.RunFor(10 * time.Second)
		t.large(size) // the first message measures which links are fast
		var lasts []time.Duration
		before := t.Meter()
		const count = 20 // of five messages the mean differs by a tenth from seed to seed
		for range count {
			m := t.large(size)
			if m == nil {
				return
			}
			lasts = append(lasts, m.Last)
		}
		u, s := t.Since(before), sim.SpreadOf(lasts)
		t.note("at %v %% loss 1 MiB is at the last of %d nodes after %s", loss*100, len(t.Nodes), s.Text())
		if loss == 0 {
			lossless = time.Duration(s.Mean)
			each := u.All.SentBytes * time.Duration(u.Duration).Seconds() / float64(size*count*len(t.Nodes))
			t.note("it crosses the network %.2f times for each node, all traffic counted", each)
			if each > wantCopies {
				t.fail("1 MiB crosses the network %.2f times for each node, want %.1f", each, wantCopies)
			}
		} else if slower := float64(s.Mean) / float64(lossless); slower > wantSlower {
			t.fail("%v %% loss makes it take %.2f times as long, want %.1f", loss*100, slower, wantSlower)
		}
	}
}

// linksRest is how long links idle between large messages: longer than the pacing keeps an unused rate. Otherwise it
// is random whether a message finds links that are already fast, and it takes either 80 ms or 320 ms.
const linksRest = 5 * time.Second

// large broadcasts one large message, waits until every node has it, and lets the links idle.
func (t *Trial) large(size int) *sim.Message {
	m, err := t.Broadcast(t.Pick(1)[0], size)
	if err != nil {
		t.fail("%v", err)
		return nil
	}
	if !t.Await(30*time.Second, m.Whole) {
		t.fail("%d bytes are at %d of %d nodes after 30 s", size, m.Heard, m.Wanted)
		return nil
	}
	t.Net.RunFor(linksRest)
	return m
}
