package gwyh

import (
	"testing"
	"testing/synctest"
	"time"
)

// conflicts is a ConflictDelegate that records its calls.
type conflicts chan [2]*Node

func (c conflicts) NotifyConflict(existing, other *Node) { c <- [2]*Node{existing, other} }

func TestConflictDelegateLearnsOfASecondNodeWithTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		told := map[*Memberlist]conflicts{}
		node := func(name string) *Memberlist {
			c, heard := testConfig(name, nil), make(conflicts, 10)
			c.Transport, c.Conflict = network.NewTransport(name), heard
			m := create(t, c)
			told[m] = heard
			return m
		}
		seed, one := node("a"), node("b")
		join(t, one, seed)
		time.Sleep(time.Second)
		two := node("b")
		_, _ = two.Join([]string{seed.LocalNode().Address()})
		time.Sleep(5 * time.Second)
		for m, want := range map[*Memberlist][2]*Memberlist{seed: {one, two}, two: {two, one}} {
			if len(told[m]) == 0 {
				t.Errorf("%s at %s was told nothing", m.LocalNode(), m.LocalNode().Address())
				continue
			}
			for i, n := range <-told[m] {
				if w := want[i].LocalNode(); n.Name != "b" || n.ID != w.ID || n.Address() != w.Address() {
					t.Errorf("%s at %s was told of %+v, want %+v", m.LocalNode(), m.LocalNode().Address(), n, w)
				}
			}
		}
	})
}

func TestSeedThatComesUpLaterIsFoundByItself(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		a := node("a", nil)
		seed := "127.0.0.1:2" // the address of the network's next transport
		if n, err := a.Join([]string{seed}); n != 0 || err == nil {
			t.Fatalf("Join = %d, %v", n, err)
		}
		time.Sleep(10 * time.Minute)
		b := node("b", nil)
		if b.LocalNode().Address() != seed {
			t.Fatalf("the seed is at %s", b.LocalNode().Address())
		}
		time.Sleep(25 * time.Second)
		if a.NumMembers() != 2 || b.NumMembers() != 2 {
			t.Errorf("%v and %v", names(a.Members()), names(b.Members()))
		}
		// A node that left does not look for other nodes.
		if err := a.Leave(time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if a.NumMembers() != 1 || b.NumMembers() != 1 {
			t.Errorf("after the leave %v and %v", names(a.Members()), names(b.Members()))
		}
	})
}

func TestLeaveWaitsUntilTheOthersKnowButNotLonger(t *testing.T) {
	bubble(t, func(t *testing.T, node func(string, *recorder) *Memberlist) {
		r := newRecorder()
		a, b := node("a", r), node("b", nil)
		join(t, b, a)
		time.Sleep(time.Second)
		begin := time.Now()
		if err := b.Leave(10 * time.Second); err != nil || time.Since(begin) > 100*time.Millisecond {
			t.Errorf("Leave took %v: %v", time.Since(begin), err)
		}
		_ = b.Shutdown()
		time.Sleep(10 * time.Second)
		if got := r.told(); got[len(got)-1] != "leave b" {
			t.Errorf("told %v", got)
		}
		c := node("c", nil)
		join(t, c, a)
		_ = a.Shutdown()
		begin = time.Now()
		if err := c.Leave(10 * time.Second); err != nil || time.Since(begin) > time.Second {
			t.Errorf("Leave of the last took %v: %v", time.Since(begin), err)
		}
	})
}

// Thirty nodes (six without -full) restart one after the other, with the same addresses and names, while the others
// broadcast. The nodes that stay receive all messages of each other.
func TestRollingRestartLosesNothingBetweenThoseThatStay(t *testing.T) {
	t.Parallel()
	n, pause := 6, 100*time.Millisecond
	if *full {
		n, pause = 30, time.Second
	}
	const most = 200_000
	ms, cs := crowd(t, n, most)
	type stay struct{ from, to int } // the messages that were sent while a node was away
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var sender []int // the sender of each message
	cast := func(length time.Duration, but int) {
		for end := time.Now().Add(length); time.Now().Before(end); <-tick.C {
			for range 5 {
				k := len(sender)
				i := k % n
				if i == but {
					i = (i + 1) % n
				}
				sender = append(sender, i)
				if err := ms[i].Broadcast(numbered(k, 256)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	away := make([]stay, n)
	deliveries := 0
	missing := func(of int) (count int) { // messages of one node, or of all if of is -1
		deliveries = 0
		for i, c := range cs {
			for k, s := range sender {
				if s == i || of >= 0 && s != of || k >= away[i].from && k < away[i].to || k >= away[s].from && k < away[s].to {
					continue
				}
				deliveries++
				if !c.seen[k].Load() {
					count++
				}
			}
		}
		return count
	}
	for i := range ms {
		cast(pause, -1)
		away[i].from = len(sender)
		cast(pause, i)                           // messages to it in transit arrive
		settle(func() int { return missing(i) }) // messages that are queued at Shutdown would be lost
		c := *ms[i].config
		_ = ms[i].Shutdown()
		cast(pause, i)
		c.Transport = nil
		ms[i] = create(t, &c)
		for try := 0; ; try++ {
			if _, err := ms[i].Join([]string{ms[(i+1)%n].LocalNode().Address()}); err == nil {
				break
			} else if try > 5 {
				t.Fatal(err)
			}
		}
		cast(pause, i)
		away[i].to = len(sender)
	}
	cast(pause, -1)
	lost := settle(func() int { return missing(-1) })
	t.Logf("%d messages, %d deliveries between nodes that stay, %d lost", len(sender), deliveries, lost)
	if lost > 0 {
		t.Errorf("%d of %d deliveries lost", lost, deliveries)
	}
}
