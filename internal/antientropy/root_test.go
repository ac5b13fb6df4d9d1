package antientropy

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestEqualRootsEndAComparisonAndCostNothing(t *testing.T) {
	w := newWorld(t, seq(0, 50), seq(0, 50))
	w.a.learn(w.b.self)
	w.b.learn(w.a.self)
	if !w.equal() {
		t.Fatal("the tables differ")
	}
	w.a.begin()
	root := w.a.theirRoot()
	if n := testing.AllocsPerRun(100, func() {
		if out, ended := w.a.HandleRoot(w.a.out[:0], w.now, &w.a.Peer, &w.a.Table, root, room); len(out) > 0 || !ended {
			t.Errorf("%v, ended %t", out, ended)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if w.a.Active() {
		t.Error("the comparison goes on")
	}
}

func TestDifferenceOfACalmTableIsComparedAtOnce(t *testing.T) {
	w := newWorld(t, seq(0, 50), seq(0, 49))
	if w.a.heartbeat(); !w.a.Active() {
		t.Error("a table that has not changed for an hour was not compared")
	}
}

func TestDifferenceOfAChangingTableIsComparedWhenItStays(t *testing.T) {
	w := newWorld(t, seq(0, 50), seq(0, 49))
	w.a.NoteChange(w.now)
	if w.a.heartbeat(); w.a.Active() {
		t.Error("a table that has just changed was compared: the news may be on its way")
	}
	w.now = w.now.Add(100 * time.Millisecond)
	w.a.NoteChange(w.now)
	if w.a.heartbeat(); !w.a.Active() {
		t.Error("the second heartbeat with another root did not begin a comparison")
	}
}

// PROTOCOL.md Y7.
func TestHeartbeatsCauseAComparisonAtMostEveryHalfSecond(t *testing.T) {
	w := newWorld(t, seq(0, 50), seq(0, 49))
	if begun := w.compareFor(2 * time.Second); begun != 4 {
		t.Errorf("%d comparisons in 2 s, want 4", begun)
	}
}

// PROTOCOL.md Y7. The tables of nodes that others fill with invented members are never equal.
func TestCrowdedTableIsComparedAtMostEveryTenSeconds(t *testing.T) {
	w := newWorld(t, seq(0, 87_500), seq(0, 49))
	if begun := w.compareFor(20 * time.Second); begun != 2 {
		t.Errorf("%d comparisons in 20 s, want 2", begun)
	}
}

// compareFor makes node a hear another root every 20 ms, and returns the number of comparisons that it begins.
func (w *world) compareFor(d time.Duration) (begun int) {
	for range d / (20 * time.Millisecond) {
		w.a.End()
		root := w.a.theirRoot()
		if out, _ := w.a.HandleRoot(nil, w.now, &w.a.Peer, &w.a.Table, root, room); len(out) > 0 {
			begun++
		}
		w.now = w.now.Add(20 * time.Millisecond)
	}
	return begun
}

// One node refuses a member that the other has: they stop comparing, and try again after increasing pauses
// (PROTOCOL.md Y7).
func TestTablesThatStayDifferentAreComparedRarely(t *testing.T) {
	w := newWorld(t, seq(0, 50), seq(0, 51))
	kept := id(50)
	w.a.keeps = func(i wire.NodeID) bool { return i == kept }
	w.a.learn(w.b.self)
	w.b.learn(w.a.self)
	var pauses []time.Duration
	last := time.Time{}
	for range 1200 {
		was := w.sent.buckets
		w.b.heartbeat() // the root of a, whose table is no larger
		if w.settle(); w.sent.buckets > was {
			if !last.IsZero() {
				pauses = append(pauses, w.now.Sub(last).Round(time.Second))
			}
			last = w.now
		}
		w.run(100 * time.Millisecond)
		if w.b.Active() {
			w.run(2 * time.Second)
		}
	}
	if got := fmt.Sprint(pauses); got != "[2s 4s 8s 16s 30s 30s]" {
		t.Errorf("%v", got)
	}
	w.a.keeps = nil
	w.b.learn(60) // another root, so a comparison may succeed now
	w.b.NoteChange(w.now.Add(-time.Second))
	w.b.heartbeat()
	if w.run(time.Second); !w.equal() {
		t.Error("the tables differ, though neither keeps anybody out")
	}
}

// PROTOCOL.md Y6.
func TestAnswerWithoutNewsEndsTheComparison(t *testing.T) {
	w := newWorld(t, seq(0, 50), nil)
	a := w.a
	a.Begin(nil, w.now, &a.Peer, &a.Table, room)
	out, ended := a.HandleRoot(nil, w.now, &a.Peer, &a.Table, wire.SyncRoot{Root: 7, Count: 20}, room)
	if len(out) > 0 || !ended {
		t.Errorf("%v, ended %t: the peer has fewer members, and told nothing", out, ended)
	}
	if a.Active() {
		t.Error("the comparison goes on")
	}
	a.Begin(nil, w.now, &a.Peer, &a.Table, room)
	if _, ended = a.HandleRoot(nil, w.now, &a.Peer, &a.Table, wire.SyncRoot{Root: 7, Count: 90}, room); ended || !a.Active() {
		t.Error("it ended, though the peer has more members: its answer was lost")
	}
}

func TestNodeThatKnowsNobodyIsNotContent(t *testing.T) {
	w := newWorld(t, nil, nil)
	a := w.a
	a.Begin(nil, w.now, &a.Peer, &a.Table, room)
	if _, ended := a.HandleRoot(nil, w.now, &a.Peer, &a.Table, wire.SyncRoot{Root: 7, Count: 1}, room); ended {
		t.Error("it ended after one answer that told nothing")
	}
	a.Continue(nil, w.now, &a.Peer, &a.Table, room)
	if _, ended := a.HandleRoot(nil, w.now, &a.Peer, &a.Table, wire.SyncRoot{Root: 7, Count: 1}, room); !ended {
		t.Error("it goes on after two")
	}
}
