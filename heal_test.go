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
