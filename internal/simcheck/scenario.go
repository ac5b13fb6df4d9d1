package simcheck

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/sim"
	"github.com/gwyh-go/gwyh/internal/simnet"
)

// Scenarios returns the fault scenarios. Each starts with a whole cluster and ends with the checks of aftermath.
func Scenarios() []Check {
	return []Check{
		scenario("rolling-restart", "all nodes restart one after another while broadcasts run", rollingRestart),
		scenario("half-killed", "half of the nodes crash at once", halfKilled),
		scenario("mass-restart", "all nodes restart within two seconds, with the same names", massRestart),
		scenario("flapping", "one node crashes and returns again and again, another stops and goes on", flapping),
		scenario("suspended", "a process is suspended for ten minutes", suspended),
		scenario("one-way-link", "one node hears another no longer, but all else passes", oneWayLink),
		scenario("asymmetric", "one half hears the other, but not the other way round", asymmetric),
		scenario("partition", "two halves do not hear each other for five minutes", partition),
		scenario("slow-node", "one loop gets 10 % of the time, in slices of 10 ms, then of 300 ms", slowNode),
		scenario("lossy", "20 % of all packets are lost for a minute", lossy),
		scenario("clock-jump", "a third of the wall clocks jump an hour, and back after five minutes", clockJump),
		scenario("merge", "two clusters become one", merge),
		scenario("mixed", "nodes of gwyh 0.1 in the cluster: crash, restart and shutdown of each kind", mixedLife),
		scenario("mixed-chaos", "the same through loss, clock jumps, a partition and the crash of half", mixedChaos),
		scenario("mixed-seeds", "nodes whose only seeds are of gwyh 0.1 find each other", mixedSeeds),
	}
}

// scenario returns a check that must run alone, because it measures the memory of its nodes.
func scenario(name, says string, run func(t *Trial)) Check {
	return Check{Name: name, Says: says, run: run, alone: true}
}

func rollingRestart(t *Trial) {
	t.form(t.sized(30, 12))
	pause := 3 * time.Second
	t.broadcastFor(time.Duration(len(t.Nodes))*pause, 250*time.Millisecond)
	since := t.Net.Elapsed()
	for i, n := range t.Nodes {
		if i%2 == 0 {
			t.Leave(n)
		} else {
			t.Crash(n)
		}
		t.Net.RunFor(pause / 3)
		t.Restart(n, t.others(n)...)
		t.Net.RunFor(pause - pause/3)
	}
	t.Net.RunFor(sim.LateFor)
	t.expectHeard(since)
	t.expectNoFalseDeaths(since)
	t.aftermath()
}

// others returns seeds for a node that restarts.
func (t *Trial) others(n *sim.Node) (list []*sim.Node) {
	for _, o := range t.Nodes {
		if o != n && len(list) < 3 {
			list = append(list, o)
		}
	}
	return list
}

func halfKilled(t *Trial) {
	t.form(t.sized(50, 14))
	since := t.Net.Elapsed()
	falls := t.Kill(t.Pick(len(t.Nodes) / 2)...)
	t.AwaitKnown(falls, time.Minute)
	for _, f := range falls {
		if f.Known == 0 {
			t.fail("the crash of %s is not known to all after a minute", f.Node.Name)
		}
	}
	t.Net.RunFor(10 * time.Second)
	t.expectNoFalseDeaths(since)
	t.aftermath()
}

func massRestart(t *Trial) {
	t.form(t.sized(50, 14))
	for _, n := range t.Pick(len(t.Nodes)) {
		t.Crash(n)
		t.Restart(n, t.seeds()...)
		t.Net.RunFor(2 * time.Second / time.Duration(len(t.Nodes)))
	}
	t.aftermath()
}

func flapping(t *Trial) {
	t.form(t.sized(30, 12))
	since := t.Net.Elapsed()
	crashes, stops := t.Nodes[5], t.Nodes[8]
	for range t.sized(20, 6) {
		t.Crash(crashes)
		t.Net.Pause(stops.Addr)
		t.Net.RunFor(t.between(500*time.Millisecond, 8*time.Second))
		t.Restart(crashes, t.seeds()...)
		t.Net.Resume(stops.Addr)
		t.Net.RunFor(t.between(500*time.Millisecond, 8*time.Second))
	}
	t.expectNoFalseDeathsExcept(since, stops)
	t.aftermath()
}

// between draws a random duration in [least, most).
func (t *Trial) between(lower, upper time.Duration) time.Duration {
	return lower + time.Duration(t.Rand().Int64N(int64(upper-lower)))
}

// expectNoFalseDeathsExcept is expectNoFalseDeaths, except for false deaths of or by nodes that were rightly considered dead.
func (t *Trial) expectNoFalseDeathsExcept(since time.Duration, but ...*sim.Node) {
	for _, l := range t.FalseDeaths(since) {
		excused := false
		for _, n := range but {
			excused = excused || l.About == n || l.By == n
		}
		if !excused {
			t.fail("%s considered %s dead, which was alive, at %v", l.By.Name, l.About.Name, l.At)
		}
	}
}

func suspended(t *Trial) {
	t.form(t.sized(20, 8))
	since := t.Net.Elapsed()
	n := t.Nodes[4]
	t.Net.Pause(n.Addr)
	t.Net.RunFor(10 * time.Minute)
	t.Net.Resume(n.Addr)
	t.expectNoFalseDeathsExcept(since, n)
	t.aftermath()
}

func oneWayLink(t *Trial) {
	t.form(t.sized(30, 10))
	since := t.Net.Elapsed()
	// All pairs of a few nodes: some of these pairs have a link.
	few := t.Pick(t.sized(6, 3))
	for i, a := range few {
		for _, b := range few[:i] {
			t.Net.Block(sim.Addrs([]*sim.Node{a}), sim.Addrs([]*sim.Node{b}))
		}
	}
	t.broadcastFor(2*time.Minute, time.Second)
	t.Net.RunFor(2*time.Minute + sim.LateFor)
	t.expectNoFalseDeaths(since)
	t.expectHeard(since)
	t.Net.HealAll()
	t.aftermath()
}

func asymmetric(t *Trial) {
	t.form(t.sized(30, 10))
	half := t.Pick(len(t.Nodes) / 2)
	b := t.Net.Block(sim.Addrs(half), sim.Addrs(t.rest(half)))
	t.Net.RunFor(time.Minute)
	b.Heal()
	t.aftermath()
}

// rest returns the nodes that are not in some.
func (t *Trial) rest(some []*sim.Node) (list []*sim.Node) {
	in := map[*sim.Node]bool{}
	for _, n := range some {
		in[n] = true
	}
	for _, n := range t.Nodes {
		if !in[n] {
			list = append(list, n)
		}
	}
	return list
}

func partition(t *Trial) {
	t.formOn(sim.Config{Nodes: t.sized(50, 10), Link: lan(0), Core: withState(sim.LAN())})
	half := t.Pick(len(t.Nodes) / 2)
	other := t.rest(half)
	b := t.Net.Partition(sim.Addrs(half), sim.Addrs(other))
	for _, n := range t.Nodes {
		t.Learn(n)
	}
	t.Net.RunFor(5 * time.Minute)
	for _, n := range t.Nodes {
		if k := n.Core.NumMembers(); k != len(half) && k != len(other) {
			t.fail("%s has %d members after five minutes of partition", n.Name, k)
		}
	}
	b.Heal()
	t.awaitTruth(truthWithin)
	t.awaitFacts(time.Minute)
	t.aftermath()
}

// withState returns the configuration with application state that nodes exchange.
func withState(core gossip.Config) gossip.Config {
	core.State = true
	return core
}

func slowNode(t *Trial) {
	t.form(t.sized(30, 10))
	since := t.Net.Elapsed()
	n := t.Nodes[3]
	t.Net.SetLoad(n.Addr, simnet.Load{Share: 0.1, Period: 100 * time.Millisecond, Cost: 20 * time.Microsecond})
	t.broadcastFor(time.Minute, 500*time.Millisecond)
	t.Net.RunFor(time.Minute)
	t.expectNoFalseDeaths(since)
	t.Net.SetLoad(n.Addr, simnet.Load{Share: 0.1, Period: 3 * time.Second, Cost: 20 * time.Microsecond})
	t.broadcastFor(time.Minute, 500*time.Millisecond)
	t.Net.RunFor(time.Minute)
	t.expectNoFalseDeathsExcept(since, n)
	t.Net.SetLoad(n.Addr, simnet.Load{})
	t.Net.RunFor(sim.LateFor)
	t.expectHeard(since)
	t.aftermath()
}

func lossy(t *Trial) {
	t.form(t.sized(50, 12))
	since := t.Net.Elapsed()
	t.Net.Adjust(func(l *simnet.Link) { l.Loss = 0.2 })
	t.broadcastFor(time.Minute, 500*time.Millisecond)
	t.Net.RunFor(time.Minute + refuteWithin)
	for _, l := range t.FalseDeaths(since) {
		if l.At < t.Net.Elapsed()-refuteWithin && (l.Refuted == 0 || l.Refuted > refuteWithin) {
			t.fail("%s considered %s dead at %v, refuted after %v", l.By.Name, l.About.Name, l.At, l.Refuted)
		}
	}
	t.Net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
	t.Net.RunFor(sim.LateFor)
	t.expectHeard(since)
	t.aftermath()
}

// refuteWithin bounds how long a live node may be considered dead.
const refuteWithin = 2 * time.Second

func clockJump(t *Trial) {
	t.form(t.sized(30, 12))
	since := t.Net.Elapsed()
	jumped := t.Pick(len(t.Nodes) / 3)
	for i, n := range jumped {
		off := time.Hour + time.Duration(i)*5*time.Minute // no two offsets alike: such nodes could complete handshakes
		t.Net.SetClockOffset(n.Addr, map[bool]time.Duration{true: off, false: -off}[i%2 == 0])
	}
	t.broadcastFor(5*time.Minute, time.Second)
	t.Net.RunFor(time.Minute)
	// A node with a wrong clock restarts: no node completes a handshake with it until its clock is right.
	late := jumped[0]
	t.Crash(late)
	t.Net.SetClockOffset(late.Addr, 2*time.Hour) // different from every other offset
	t.Net.RunFor(time.Second)
	t.Restart(late, t.rest(jumped)[:3]...)
	t.Net.RunFor(4 * time.Minute)
	if k := late.Core.NumMembers(); k != 1 {
		t.fail("%s has %d members while its clock is two hours off", late.Name, k)
	}
	for _, n := range jumped {
		t.Net.SetClockOffset(n.Addr, 0)
	}
	t.Net.RunFor(sim.LateFor)
	t.expectNoFalseDeathsExcept(since, late)
	t.aftermath()
}

func merge(t *Trial) {
	nodes := t.sized(40, 12)
	t.begin(sim.Config{Nodes: nodes, Link: lan(0)})
	half := nodes / 2
	for i, n := range t.Nodes {
		if i != 0 && i != half {
			t.Join(n, t.Nodes[i/half*half])
		}
	}
	t.Net.RunFor(time.Minute)
	for _, n := range t.Nodes {
		if k := n.Core.NumMembers(); k != half {
			t.fail("%s has %d members, of two clusters of %d", n.Name, k, half)
		}
	}
	t.Join(t.Nodes[half+1], t.Nodes[1])
	t.aftermath()
}
