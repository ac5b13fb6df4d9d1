// Package simcheck holds simulated clusters (internal/sim) to what they are to survive and to the figures that they are
// to reach. "gwyh sim -check" runs it, and its tests run it in small clusters.
//
// To read it: trial.go is one run of a check and what it can ask for; scenario.go and mixed.go are what goes wrong;
// figures.go and large.go are what things cost and how long they take.
package simcheck

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/internal/sim"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
)

// Check is something that a cluster has to stand, or a figure that it has to reach.
type Check struct {
	Name string
	Says string // what is done or claimed, in one line
	run  func(t *Trial)

	alone bool
}

// Alone reports whether nothing else should run beside the check: it weighs the memory of its nodes.
func (k *Check) Alone() bool { return k.alone }

// Scale is how large the clusters of a check are, and how long they run.
type Scale int

const (
	Small Scale = iota // for a test: a second at most
	Usual              // for every change of the library: some ten seconds at most
	Full               // for the figures that are quoted: minutes
)

// Trial is one run of a check.
type Trial struct {
	*sim.Cluster // begun by the check
	Seed         uint64
	Quick        bool // at the Small scale
	Full         bool // at the Full scale
	Problems     []string
	Notes        []string // figures

	clusters []*sim.Cluster
}

// problemsMax bounds what one trial has to say.
const problemsMax = 12

// Run runs a check.
func (k *Check) Run(seed uint64, scale Scale) *Trial {
	t := &Trial{Seed: seed, Quick: scale == Small, Full: scale == Full}
	k.run(t)
	return t
}

// Virtual is the virtual time that passed in all clusters of the trial.
func (t *Trial) Virtual() (sum time.Duration) {
	for _, c := range t.clusters {
		sum += c.Net.Elapsed()
	}
	return sum
}

// fail notes that something is not as it should be.
func (t *Trial) fail(format string, args ...any) {
	if len(t.Problems) < problemsMax {
		t.Problems = append(t.Problems, fmt.Sprintf(format, args...))
	}
}

// note keeps a figure to be shown.
func (t *Trial) note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
}

// sized is the size of a run: quick ones are smaller.
func (t *Trial) sized(usual, quick int) int {
	if t.Quick {
		return quick
	}
	return usual
}

// minutes is how long a run goes on.
func (t *Trial) minutes(quick, usual, full time.Duration) time.Duration {
	switch {
	case t.Quick:
		return quick * time.Minute
	case t.Full:
		return full * time.Minute
	}
	return usual * time.Minute
}

// lan is a network between machines of one place.
func lan(loss float64) simnet.Link {
	return simnet.Link{Latency: simnet.Uniform(200*time.Microsecond, time.Millisecond),
		Jitter: simnet.Exponential(100*time.Microsecond, 0), Loss: loss, MTU: 1472}
}

// begin makes the trial's cluster, without joining anybody.
func (t *Trial) begin(cfg sim.Config) {
	cfg.Seed = t.Seed
	if cfg.Core.Subscriptions == 0 {
		cfg.Core = sim.LAN()
	}
	t.Cluster = sim.New(cfg)
	t.clusters = append(t.clusters, t.Cluster)
}

// form makes a cluster of so many nodes on a local network and waits until it is whole.
func (t *Trial) form(nodes int) { t.formOn(sim.Config{Nodes: nodes, Link: lan(0)}) }

func (t *Trial) formOn(cfg sim.Config) {
	t.begin(cfg)
	if _, err := t.Form(time.Minute); err != nil {
		t.fail("%v", err)
	}
	t.Net.RunFor(sim.CalmFor)
}

// seeds are the nodes that a node which starts is told to join.
func (t *Trial) seeds() []*sim.Node { return t.Nodes[:min(3, len(t.Nodes))] }

// talk makes nodes broadcast for a time: at each interval one that is drawn.
func (t *Trial) talk(d, every time.Duration) {
	for at := every; at <= d; at += every {
		t.Net.After(at, func() {
			for _, n := range t.Pick(1) {
				_, _ = t.Broadcast(n, 200)
			}
		})
	}
}

// expectHeard holds the messages since a moment to having reached everybody who stayed.
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

// expectNoLies holds nodes to not having taken others for dead that lived.
func (t *Trial) expectNoLies(since time.Duration) {
	for _, l := range t.Lies(since) {
		t.fail("%s took %s for dead, which lived, at %v", l.By.Name, l.About.Name, l.At)
	}
}

// Times of what comes after a scenario.
const (
	truthWithin = 3 * time.Minute        // for every view to be true
	linksWithin = 15 * time.Second       // for links to follow the views
	quietFor    = 4 * time.Minute        // for sessions that carry no link to close: sealed under for 90 s at most, then idle for two minutes
	finalEvery  = 100 * time.Millisecond // between the messages that all have to hear
	finalCount  = 20
)

// aftermath holds a cluster to being as it was before: every view true within a time, every message
// at every node, nothing left over.
func (t *Trial) aftermath() {
	t.awaitTruth(truthWithin)
	t.settle()
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

// awaitFacts waits until every application knows what any of them knows.
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

// settle lets messages pass and what is idle end.
func (t *Trial) settle() {
	t.Net.RunFor(linksWithin)
	since := t.Net.Elapsed()
	t.talk(finalCount*finalEvery, finalEvery)
	t.Net.RunFor(quietFor)
	t.expectHeard(since + 1)
}

// compare holds what the nodes keep against a cluster of the same size to which nothing happened.
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
	seeking := 0 // the dead are looked for now and then, by some
	if tombstones > 0 {
		seeking = nodes
	}
	if have.Dials > seeking || have.Joins > seeking || have.Sends > 0 {
		t.fail("still under way: %d handshakes, %d joins, %d messages to one node", have.Dials, have.Joins, have.Sends)
	}
	bytes, fair := weigh(t.Cluster), weigh(fresh)
	if bytes > fair+fair/4+nodes*nodeSlack+max(tombstones, 0)*tombstoneSize {
		t.fail("%d nodes take %d KiB, %d KiB in a fresh cluster, %d tombstones", nodes, bytes>>10, fair>>10, tombstones)
	}
	t.note("%d and fresh %d sessions, %d and %d timers, %d and %d KiB, %d tombstones", have.Sessions, want.Sessions, have.Timers, want.Timers,
		bytes>>10, fair>>10, tombstones)
}

// What a node may take beyond a fresh one, in bytes.
const (
	nodeSlack     = 16 << 10 // buffers that grew, log limits
	tombstoneSize = 600      // with its places in indices
)

// twin is a cluster of the size of the trial's to which nothing happened but the final messages.
func (t *Trial) twin() *sim.Cluster {
	cfg := t.Config()
	cfg.Nodes = len(t.Up())
	twin := &Trial{Seed: t.Seed}
	twin.formOn(cfg)
	twin.settle()
	for _, p := range twin.Problems {
		t.fail("in a fresh cluster: %s", p)
	}
	t.clusters = append(t.clusters, twin.Cluster)
	return twin.Cluster
}

// holdings sums up what the cores of nodes that run keep.
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

// weigh takes the cores away from their nodes and returns the bytes that this sets free: the end of
// the cluster.
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

// heap is how many bytes are in use.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
