package swim

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestThereIsAlwaysATimeout(t *testing.T) {
	w := newWorld(t, 0)
	for range 100 {
		at := w.NextTimeout()
		if at.IsZero() || at.Sub(w.now) > 2*patrolInterval {
			t.Fatalf("next timeout at %v", at)
		}
		w.runTo(at)
		if !w.NextTimeout().After(w.now) {
			t.Fatal("the next timeout is not later than now")
		}
	}
	w.want() // no member to probe
}

func TestEarlyTimeoutDoesNothing(t *testing.T) {
	w := newLinked(t, 8)
	at := w.NextTimeout()
	w.do(w.HandleTimeout(nil, at.Add(-1), true))
	if w.want(); w.NextTimeout() != at {
		t.Errorf("next timeout at %v, want %v", w.NextTimeout(), at)
	}
}

// The core has its own timers. All timers fire in the order in which they were set.
func TestTimersCountWithThoseOfTheCore(t *testing.T) {
	w := newLinked(t, 8)
	w.timers.Set(&w.patrol, start.AddDate(1, 0, 0))
	w.silence(1)
	var before, after timer.Timer
	at := w.now.Add(w.cfg.ProbeTimeout / 2)
	w.order.Set(&before, at)
	if w.probe(1); w.IsBefore(&w.order) {
		t.Error("the probe goes before a timer that was set for the same time before")
	}
	w.order.Stop(&before)
	if w.order.Set(&after, at); !w.IsBefore(&w.order) {
		t.Error("the probe goes behind a timer that was set for the same time later")
	}
}

// A link with a suspect that begins anew does not show that the suspect hears this node (PROTOCOL.md V9).
func TestNewLinkWithASuspectDoesNotShowThatItHearsThisNode(t *testing.T) {
	for suspected, heard := range map[bool]bool{true: false, false: true} {
		w := newLinked(t, 8)
		p := w.peer(1)
		w.LinkDown(p)
		before := p.heardUs
		if suspected {
			w.accuse(2, 1)
		}
		w.now = w.now.Add(time.Second)
		if w.LinkUp(w.now, p); p.heardUs.After(before) != heard {
			t.Errorf("suspected %v: it has heard this node at %v, and at %v before", suspected, p.heardUs, before)
		}
	}
}

func TestActionsAreAppended(t *testing.T) {
	w := newLinked(t, 8)
	first := Action{Kind: SendPing, Count: 42}
	out := w.Accuse([]Action{first}, w.now, w.entry(1), w.entry(1).Incarnation, goID(2), nil)
	if len(out) != 3 || out[0].Count != 42 {
		t.Errorf("%d actions, the first is %+v", len(out), out[0])
	}
	out = w.HandleProbeResult([]Action{first}, w.now, w.peer(1), wire.ProbeResult{Seq: 99})
	if len(out) != 1 {
		t.Errorf("%d actions", len(out))
	}
	_, ok, out := w.HearAck([]Action{first}, w.now, w.peer(1), 99)
	if ok || len(out) != 1 {
		t.Errorf("%v, %d actions", ok, len(out))
	}
}

// A chaos is a world in which random events happen in random order.
type chaos struct {
	*world
	rng *rand.Rand
}

func (c *chaos) node() int { return 1 + c.rng.IntN(30) }

// step makes one random event happen.
func (c *chaos) step() {
	i, p := c.node(), c.peer(c.node())
	switch c.rng.IntN(16) {
	case 0:
		if p := c.peer(i); !p.linked {
			c.LinkUp(c.now, p)
		}
	case 1:
		if p.linked {
			c.LinkDown(p)
		}
	case 2:
		c.accuse(c.node(), i)
	case 3:
		c.do(c.HandleAccusation(nil, c.now, c.entry(i), c.entry(i).Incarnation+uint64(c.rng.IntN(3)), goID(c.node()), nil))
	case 4:
		m := c.entry(i)
		m.Refuted = m.Incarnation
		m.Incarnation++
		c.HandleRefutation(c.now, m)
	case 5:
		c.do(c.HearReport(nil, c.now, p, time.Duration(c.rng.IntN(5000))*time.Millisecond, time.Duration(c.rng.IntN(100))*time.Millisecond))
	case 6:
		c.request(i, c.rng.Uint64N(100), goID(c.rng.IntN(40)), addr(c.node()))
	case 7:
		c.do(c.HandleProbeResult(nil, c.now, p, wire.ProbeResult{Seq: c.rng.Uint64N(c.probeSeq + 2), Answered: c.rng.IntN(2) == 0}))
	case 8:
		_, _, out := c.HearAck(nil, c.now, p, c.ping(p, Purpose{})-uint64(c.rng.IntN(3)))
		c.do(out)
	case 9:
		if c.entry(i).Live() {
			c.fail(c.entry(i))
			c.NoteFailed(c.now, c.entry(i))
		}
	case 10:
		c.revive(i)
	case 11:
		c.HandlePause(c.now, time.Duration(c.rng.IntN(10_000))*time.Millisecond)
	case 12:
		c.do(c.HandleSelf(nil, c.now, &wire.Member{State: wire.State(c.rng.IntN(4)), Incarnation: c.self.Incarnation + uint64(c.rng.IntN(3)) - 1}, p))
	case 13:
		if !p.linked {
			c.RemovePeer(p)
		}
	default:
		_, out := c.Tick(nil, c.now, p)
		c.do(out)
	}
}

// revive brings a dead node back.
func (c *chaos) revive(i int) {
	m := c.entry(i)
	if m.Live() {
		return
	}
	c.do(c.NoteBack(nil, c.now, m, c.rng.IntN(2) == 0))
	m.State = wire.StateAlive
	m.Incarnation++
	m.Refuted = m.Incarnation - 1
	c.members.Add(m)
}

// check fails the test if the state is inconsistent.
func (c *chaos) check() {
	c.t.Helper()
	suspects := 0
	for m := range c.members.Each {
		if m.State == wire.StateSuspect {
			suspects++
		}
		if c.Suspects(m) != (m.State == wire.StateSuspect) {
			c.t.Fatalf("node %d is %v, suspected: %v", c.byID[m.ID], m.State, c.Suspects(m))
		}
	}
	if suspects != c.Suspicions() {
		c.t.Fatalf("%d suspicions of %d suspects", c.Suspicions(), suspects)
	}
	for id, s := range c.suspicions {
		if !s.timer.Pending() {
			c.t.Fatalf("node %d: no decision is due", c.byID[id])
		}
		if len(s.accusers) == 0 || s.passedOn > len(s.accusers) {
			c.t.Fatalf("node %d: %d accusers, of whom %d were passed on", c.byID[id], len(s.accusers), s.passedOn)
		}
		if s.private && !s.own {
			c.t.Fatalf("node %d: a private suspicion of another node", c.byID[id])
		}
	}
	probed := map[wire.NodeID]bool{}
	for _, pr := range c.probes {
		if !pr.timer.Pending() || probed[pr.m.ID] {
			c.t.Fatalf("node %d: probe %+v", c.byID[pr.m.ID], pr)
		}
		probed[pr.m.ID] = true
	}
	for _, x := range c.requests.probes {
		if !x.timer.Pending() {
			c.t.Fatalf("node %d: nothing is due", c.byID[x.target])
		}
		if n := len(x.requesters); n > requestersMax || x.failed && n > 0 {
			c.t.Fatalf("node %d: %d requesters, failed %v", c.byID[x.target], n, x.failed)
		}
	}
	if h := c.Health(); h < 0 || h >= c.cfg.AwarenessMaxMultiplier {
		c.t.Fatalf("health %d", h)
	}
	for _, p := range c.links {
		if !p.linked || c.peers[p.ID] != p {
			c.t.Fatalf("peer %d is among the links: linked %v", c.byID[p.ID], p.linked)
		}
	}
}

// steps makes n events happen and returns the actions of the Detector.
func (c *chaos) steps(n int) (trace string) {
	c.t.Helper()
	for range n {
		c.step()
		c.check()
		c.runTo(c.now.Add(time.Duration(c.rng.ExpFloat64() * float64(100*time.Millisecond))))
		c.check()
		for i := range c.acts {
			trace += fmt.Sprintln(c.now.Sub(start), c.acts[i].Kind, c.target(&c.acts[i]))
		}
		c.clear()
	}
	return trace
}

func TestStateNeverContradictsItself(t *testing.T) {
	kinds := map[Kind]int{}
	for seed := range uint64(20) {
		c := &chaos{world: newWorld(t, 30), rng: rand.New(rand.NewPCG(seed, 2))}
		for range 1000 {
			c.step()
			c.check()
			c.runTo(c.now.Add(time.Duration(c.rng.ExpFloat64() * float64(100*time.Millisecond))))
			c.check()
			for _, a := range c.acts {
				kinds[a.Kind]++
			}
			c.clear()
		}
	}
	for k := SendPing; k <= BackTogether; k++ {
		if rare := k == EndLink || k == BackTogether; kinds[k] == 0 && !rare {
			t.Errorf("no %v in all runs", k)
		}
	}
}

func TestSameInputsHaveTheSameActions(t *testing.T) {
	run := func() string {
		c := &chaos{world: newWorld(t, 30), rng: rand.New(rand.NewPCG(7, 7))}
		return c.steps(500)
	}
	if a, b := run(), run(); a != b {
		t.Error("two runs differ")
	}
}

// Everything that began ends if no further event happens.
func TestNothingIsLeftInTheEnd(t *testing.T) {
	c := &chaos{world: newWorld(t, 30), rng: rand.New(rand.NewPCG(3, 3))}
	c.steps(500)
	c.members.Leave(c.now)
	c.runTo(c.now.Add(10 * time.Minute))
	if n := c.Suspicions(); n != 0 {
		t.Errorf("%d suspicions", n)
	}
	if n := len(c.probes) + c.Requested(); n != 0 {
		t.Errorf("%d probes", n)
	}
	if n := c.timers.Len(); n != 1 {
		t.Errorf("%d timers, want the patrol's", n)
	}
}
