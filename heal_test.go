package gwyh

import (
	"testing"
	"testing/synctest"
	"time"
)

// conflicts is a ConflictDelegate that keeps what it is told.
type conflicts chan [2]*Node

func (c conflicts) NotifyConflict(existing, other *Node) { c <- [2]*Node{existing, other} }

func TestConflictDelegateIsToldOfASecondNodeOfTheName(t *testing.T) {
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
		seed := "127.0.0.1:2" // the next transport of the network
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
		// A node that left looks for nobody.
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
