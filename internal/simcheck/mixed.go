package simcheck

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/sim"
)

// mixedLife checks issue 4: a cluster of ten Go nodes and five gwyh 0.1 nodes for half an hour.
func mixedLife(t *Trial) {
	l := sim.MixedLife{Seed: t.Seed, Nodes: 10, Models: 5, Duration: 30 * time.Minute}
	if t.Quick {
		l.Duration = 2 * time.Minute
	}
	out := l.Live()
	t.clusters = append(t.clusters, out.Cluster)
	for _, p := range out.Problems {
		t.fail("%s", p)
	}
	if out.Sent > mixedSent || out.SentMax > mixedMax {
		t.fail("a Go node sends %.1f packets a second, %.0f in its worst", out.Sent, out.SentMax)
	}
	t.note("%d broadcasts; a Go node sends %.1f packets a second, %.0f in its worst; a model %.1f", out.Said, out.Sent, out.SentMax, out.Passed)
}

// Packets per second that a Go node may send in a MixedLife of 10 and 5: 1.5 times the packets for its links, for one
// broadcast per second and for the requests that gwyh 0.1 nodes forward.
const (
	mixedSent = 30
	mixedMax  = 250
)

// mixedChaos applies a minute of loss, clock jumps, a partition and the crash of half of a mixed cluster.
func mixedChaos(t *Trial) {
	m := sim.FormMixed(t.Seed, t.sized(10, 6), t.sized(5, 3), 0)
	t.clusters = append(t.clusters, m.Cluster)
	t.Cluster = m.Cluster

	t.Net.SetDefaultLink(lan(0.2))
	m.Chatter(time.Minute)
	t.Net.SetDefaultLink(lan(0))
	m.Chatter(30 * time.Second)

	for _, n := range m.Nodes[:len(m.Nodes)/3] {
		t.Net.SetClockOffset(n.Addr, time.Hour)
	}
	m.Chatter(5 * time.Minute)
	for _, n := range m.Nodes[:len(m.Nodes)/3] {
		t.Net.SetClockOffset(n.Addr, 0)
	}
	m.Chatter(time.Minute)

	var there []netip.AddrPort
	for i, d := range m.Models {
		if i%2 == 0 {
			there = append(there, d.Addr)
		}
	}
	b := t.Net.Partition(sim.Addrs(m.Nodes[len(m.Nodes)/2:]), append(sim.Addrs(m.Nodes[:len(m.Nodes)/2]), there...))
	m.Chatter(t.duration(3*time.Minute, time.Minute))
	b.Heal()
	m.Chatter(t.duration(4*time.Minute, 2*time.Minute))

	for i, n := range m.Nodes {
		if i%2 == 1 {
			t.Crash(n)
		}
	}
	for i, d := range m.Models {
		if i%2 == 1 {
			m.CrashModel(d)
		}
	}
	m.Chatter(40 * time.Second)
	for i, n := range m.Nodes {
		if i%2 == 1 {
			t.Restart(n, m.Nodes[0])
		}
	}
	for i, d := range m.Models {
		if i%2 == 1 {
			m.RestartModel(d)
		}
	}
	m.Chatter(3 * time.Minute)

	since := t.Net.Elapsed()
	m.Chatter(time.Minute)
	t.Net.RunFor(10 * time.Second)
	for _, p := range append(m.Deaf(since, 6), m.WrongMixed(6)...) {
		t.fail("%s", p)
	}
	if n := m.Naks(); n > 0 {
		t.fail("models got %d Naks", n)
	}
}

// mixedSeeds starts Go nodes that know only gwyh 0.1 nodes.
func mixedSeeds(t *Trial) {
	m := sim.LegacySeeds{Seed: t.Seed, Nodes: t.sized(20, 6), Models: 5}.Start()
	t.clusters = append(t.clusters, m.Cluster)
	t.Cluster = m.Cluster
	if !m.Await(time.Minute, m.GoNodesKnown) {
		t.fail("after a minute %s", m.Islands())
	}
	t.note("all Go nodes know each other after %v", m.Net.Elapsed())
	t.Net.RunFor(time.Minute)
	since := t.Net.Elapsed()
	before, _ := m.SentBy()
	m.Chatter(time.Minute)
	after, _ := m.SentBy()
	sent := float64(after-before) / time.Minute.Seconds() / float64(len(m.Nodes))
	if sent > mixedSent {
		t.fail("a Go node sends %.1f packets a second", sent)
	}
	t.note("a Go node sends %.1f packets a second", sent)
	t.Net.RunFor(10 * time.Second)
	for _, p := range append(m.Deaf(since, 6), m.WrongMixed(6)...) {
		t.fail("%s", p)
	}
	if n := m.Naks(); n > 0 {
		t.fail("models got %d Naks", n)
	}
}

func (t *Trial) duration(full, quick time.Duration) time.Duration {
	if t.Quick {
		return quick
	}
	return full
}
