// Package simcheck runs simulated clusters (internal/sim) and checks that they survive faults and reach the figures
// that the library claims. "gwyh sim -check" runs it, and its tests run it in small clusters.
//
// Reading order: trial.go has one run of a check and its helpers; scenario.go and mixed.go have the faults;
// figures.go and large.go have the costs and delays.
package simcheck

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/sim"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
)

// Check is a fault that a cluster has to survive, or a figure that it has to reach.
type Check struct {
	Name string
	Says string // what the check does or claims, in one line
	run  func(t *Trial)

	alone bool
}

// Alone reports whether nothing may run in parallel with the check, because it measures memory.
func (k *Check) Alone() bool { return k.alone }

// Scale is the size of a check's clusters and the length of its runs.
type Scale int

const (
	Small Scale = iota // for tests: at most a second
	Usual              // for every change of the library: at most about ten seconds
	Full               // for published figures: minutes
)

// Trial is one run of a check.
type Trial struct {
	*sim.Cluster // created by the check
	Seed         uint64
	Quick        bool // at the Small scale
	Full         bool // at the Full scale
	Problems     []string
	Notes        []string // measured figures

	clusters []*sim.Cluster
}

// problemsMax bounds the number of problems that one trial reports.
const problemsMax = 12

// Run runs a check.
func (k *Check) Run(seed uint64, scale Scale) *Trial {
	t := &Trial{Seed: seed, Quick: scale == Small, Full: scale == Full}
	k.run(t)
	return t
}

// Virtual returns the virtual time that passed in all clusters of the trial.
func (t *Trial) Virtual() (sum time.Duration) {
	for _, c := range t.clusters {
		sum += c.Net.Elapsed()
	}
	return sum
}

// fail records a problem.
func (t *Trial) fail(format string, args ...any) {
	if len(t.Problems) < problemsMax {
		t.Problems = append(t.Problems, fmt.Sprintf(format, args...))
	}
}

// note records a figure to show.
func (t *Trial) note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
}

// sized returns the size of a run: quick trials are smaller.
func (t *Trial) sized(usual, quick int) int {
	if t.Quick {
		return quick
	}
	return usual
}

// minutes returns the length of a run.
func (t *Trial) minutes(quick, usual, full time.Duration) time.Duration {
	switch {
	case t.Quick:
		return quick * time.Minute
	case t.Full:
		return full * time.Minute
	}
	return usual * time.Minute
}

// lan returns a link between machines in one place.
func lan(loss float64) simnet.Link {
	return simnet.Link{Latency: simnet.Uniform(200*time.Microsecond, time.Millisecond),
		Jitter: simnet.Exponential(100*time.Microsecond, 0), Loss: loss, MTU: 1472}
}

// begin creates the trial's cluster. No node joins.
func (t *Trial) begin(cfg sim.Config) {
	cfg.Seed = t.Seed
	if cfg.Core.Subscriptions == 0 {
		cfg.Core = sim.LAN()
	}
	t.Cluster = sim.New(cfg)
	t.clusters = append(t.clusters, t.Cluster)
}

// form creates a cluster on a local network and waits until it is whole.
func (t *Trial) form(nodes int) { t.formOn(sim.Config{Nodes: nodes, Link: lan(0)}) }

func (t *Trial) formOn(cfg sim.Config) {
	t.begin(cfg)
	if _, err := t.Form(time.Minute); err != nil {
		t.fail("%v", err)
	}
	t.Net.RunFor(sim.CalmFor)
}

// seeds returns the nodes that a starting node joins.
func (t *Trial) seeds() []*sim.Node { return t.Nodes[:min(3, len(t.Nodes))] }

// broadcastFor makes nodes broadcast for d: at each interval one random node.
func (t *Trial) broadcastFor(d, every time.Duration) {
	for at := every; at <= d; at += every {
		t.Net.After(at, func() {
			for _, n := range t.Pick(1) {
				_, _ = t.Broadcast(n, 200)
			}
		})
	}
}

// expectHeard checks that every message since a moment reached every node that stayed up.
func (t *Trial) expectHeard(since time.Duration) {
	messages := t.Messages(since, t.Net.Elapsed())
	short, missing, again := 0, 0, 0
	for _, m := range messages {
		if !m.Whole() {
			short++
		}
		missing += m.Wanted - m.Heard
		again += m.Again
	}
	if missing > 0 || again > 0 || len(messages) == 0 {
		t.fail("of %d messages %d are not everywhere: %d deliveries missing, %d repeated", len(messages), short, missing, again)
	}
}

// expectNoFalseDeaths checks that no node considered a live node dead.
func (t *Trial) expectNoFalseDeaths(since time.Duration) {
	for _, l := range t.FalseDeaths(since) {
		t.fail("%s considered %s dead, which was alive, at %v", l.By.Name, l.About.Name, l.At)
	}
}

// Durations of the checks after a scenario.
const (
	truthWithin = 3 * time.Minute        // for every view to become true
	linksWithin = 15 * time.Second       // for links to follow the views
	quietFor    = 4 * time.Minute        // for sessions without a link to close: 90 s of sending, then 2 min idle
	finalEvery  = 100 * time.Millisecond // interval of the final messages, which all nodes must get
	finalCount  = 20
)

// aftermath checks that the cluster has recovered: every view is true within a time, every message is at every node,
// and no state is left over.
func (t *Trial) aftermath() {
	t.awaitTruth(truthWithin)
	t.checkDelivery()
	if wrong := t.Wrong(3); wrong != nil {
		t.fail("not true any more after %v of quiet: %s", quietFor, strings.Join(wrong, "; "))
	}
	t.compare()
}

// awaitTruth waits until every view is true.
func (t *Trial) awaitTruth(limit time.Duration) {
	begin := t.Net.Elapsed()
	for !t.True() {
		if t.Net.Elapsed()-begin >= limit {
			t.fail("not true after %v: %s; %s", limit, t.Missing(), strings.Join(t.Wrong(3), "; "))
			return
		}
		t.Net.RunFor(100 * time.Millisecond)
	}
	t.note("true after %v", (t.Net.Elapsed() - begin).Round(100*time.Millisecond))
}

// awaitFacts waits until every application has the facts of all applications.
func (t *Trial) awaitFacts(limit time.Duration) {
	begin := t.Net.Elapsed()
	for t.Unaware() > 0 {
		if t.Net.Elapsed()-begin >= limit {
			t.fail("%d applications do not know all after %v", t.Unaware(), limit)
			return
		}
		t.Net.RunFor(time.Second)
	}
	t.note("all states merged after %v", t.Net.Elapsed()-begin)
}

// checkDelivery checks that messages reach every node, and waits until idle sessions have closed.
func (t *Trial) checkDelivery() {
	t.Net.RunFor(linksWithin)
	since := t.Net.Elapsed()
	t.broadcastFor(finalCount*finalEvery, finalEvery)
	t.Net.RunFor(quietFor)
	t.expectHeard(since + 1)
}

// compare compares the state that the nodes keep with a cluster of the same size without faults.
func (t *Trial) compare() {
	fresh := t.twin()
	have, want := holdings(t.Cluster), holdings(fresh)
	nodes := len(t.Up())
	check := func(what string, have, want int) {
		if have > want+want/4+nodes {
			t.fail("%d %s are held by %d nodes, %d in a fresh cluster", have, what, nodes, want)
		}
	}
	check("peers", have.Peers, want.Peers)
	check("sessions", have.Sessions, want.Sessions)
	check("links", have.Links, want.Links)
	check("timers", have.Timers, want.Timers)
	tombstones := have.Tombstones - want.Tombstones
	seeking := 0 // some nodes look for tombstones now and then
	if tombstones > 0 {
		seeking = nodes
	}
	if dials, joins, sends := t.underWay(); dials > seeking || joins > seeking || sends > 0 {
		t.fail("still under way: %d handshakes, %d joins, %d messages to one node", dials, joins, sends)
	}
	bytes, fair := weigh(t.Cluster), weigh(fresh)
	if bytes > fair+fair/4+nodes*nodeSlack+max(tombstones, 0)*tombstoneSize {
		t.fail("%d nodes take %d KiB, %d KiB in a fresh cluster, %d tombstones", nodes, bytes>>10, fair>>10, tombstones)
	}
	t.note("%d and fresh %d sessions, %d and %d timers, %d and %d KiB, %d tombstones", have.Sessions, want.Sessions, have.Timers, want.Timers,
		bytes>>10, fair>>10, tombstones)
}

// underWay returns the least numbers of handshakes, joins and messages to one node that were under way at any of several
// moments: a node without faults probes a member without a link now and then, which takes a handshake.
func (t *Trial) underWay() (dials, joins, sends int) {
	dials, joins, sends = math.MaxInt, math.MaxInt, math.MaxInt
	for range 10 {
		h := holdings(t.Cluster)
		dials, joins, sends = min(dials, h.Dials), min(joins, h.Joins), min(sends, h.Sends)
		t.Net.RunFor(300 * time.Millisecond)
	}
	return dials, joins, sends
}

// Memory that a node may take in addition to a fresh one, in bytes.
const (
	nodeSlack     = 16 << 10 // grown buffers, log limits
	tombstoneSize = 600      // with its index entries
)

// twin returns a cluster of the trial's size in which only the final messages were sent.
func (t *Trial) twin() *sim.Cluster {
	cfg := t.Config()
	cfg.Nodes = len(t.Up())
	twin := &Trial{Seed: t.Seed}
	twin.formOn(cfg)
	twin.checkDelivery()
	for _, p := range twin.Problems {
		t.fail("in a fresh cluster: %s", p)
	}
	t.clusters = append(t.clusters, twin.Cluster)
	return twin.Cluster
}

// holdings returns the sum of what the cores of running nodes keep.
func holdings(c *sim.Cluster) (sum stats.Holdings) {
	for _, n := range c.Up() {
		h := n.Core.Holdings()
		sum.Tombstones += h.Tombstones
		sum.Peers += h.Peers
		sum.Links += h.Links
		sum.Sessions += h.Sessions
		sum.Timers += h.Timers
		sum.Dials += h.Dials
		sum.Joins += h.Joins
		sum.Sends += h.Sends
		sum.Queued += h.Queued
	}
	return sum
}

// weigh removes the cores from their nodes and returns the number of bytes that this frees. The cluster is unusable
// afterwards.
func weigh(c *sim.Cluster) int {
	for _, n := range c.Nodes {
		if !n.Up() {
			n.Core = nil
		}
	}
	before := heap()
	for _, n := range c.Nodes {
		n.Core = nil
	}
	return before - heap()
}

// heap returns the number of heap bytes in use.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
