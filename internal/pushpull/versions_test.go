package pushpull

import (
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md M9.
func TestNodesUnderstandEachOtherIfTheirVersionsOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b [6]byte
		want bool
	}{
		{goodFit, goodFit, true},
		{goodFit, [6]byte{1, 5, 4, 2, 9, 3}, true},
		{goodFit, [6]byte{1, 5, 2, 3, 3, 3}, false}, // does not understand 2
		{goodFit, [6]byte{1, 5, 2, 1, 4, 4}, false}, // uses a version that the others do not understand
		{goodFit, [6]byte{2, 5, 2, 2, 2, 2}, true},
		{goodFit, [6]byte{3, 5, 3, 1, 3, 2}, false}, // the same for the library's protocol
		{goodFit, [6]byte{1, 6, 6, 1, 3, 2}, false},
	} {
		if got := understand(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: %t", c.a, c.b, got)
		}
		if understand(c.a, c.b) != understand(c.b, c.a) {
			t.Errorf("%v and %v: not the same in both directions", c.a, c.b)
		}
	}
}

// entryOf returns an alive entry of a stranger with the given versions.
func entryOf(i int, versions [6]byte) *wire.Member {
	m := members.Entry{Member: said(i, 1, "").Member}
	m.Versions = versions
	return m.Fill(new(wire.Member))
}

func TestEntryHasToGoWithAllMembers(t *testing.T) {
	w := newWorld(t, 3, nil)
	n := w.nodes[0]
	other := memberNo(1)
	other.Versions = [6]byte{1, 5, 2, 1, 2, 2}
	n.add(other)
	fit := n.x.Fits(w.now, &n.table, entryOf(9, [6]byte{1, 5, 2, 2, 3, 3}), wire.NodeID{})
	switch {
	case fit.OK:
		t.Error("the node is taken in")
	case fit.Stranger == nil:
		t.Error("no stranger is named")
	case fit.Stranger.ID != nodeID(1):
		t.Errorf("the stranger is %v, want %v", fit.Stranger.ID, nodeID(1))
	}
	if fit = n.x.Fits(w.now, &n.table, entryOf(9, goodFit), wire.NodeID{}); !fit.OK {
		t.Errorf("%+v", fit)
	}
	if n.x.Stats.Unfit != 1 {
		t.Errorf("%d counted", n.x.Stats.Unfit)
	}
}

func TestLegacyMembersAndTheNodeItselfDoNotCount(t *testing.T) {
	w := newWorld(t, 2, nil)
	n := w.nodes[0]
	e := members.NewEntry(wire.NodeID{0: 9, 6: 0x40})
	e.Name = "gwyh01"
	n.table.Add(e)
	old := memberNo(1)
	old.Versions = [6]byte{9, 9, 9, 9, 9, 9}
	n.add(old)
	now := entryOf(1, goodFit)
	now.ID = nodeID(1) // it restarted with versions that are compatible with ours
	if fit := n.x.Fits(w.now, &n.table, now, wire.NodeID{}); !fit.OK {
		t.Errorf("%+v", fit)
	}
}

func TestPeerOfAnEntryThatDoesNotFitGetsNoLink(t *testing.T) {
	w := newWorld(t, 2, nil)
	n := w.nodes[0]
	p := n.peers[1]
	e := entryOf(1, [6]byte{9, 9, 9, 9, 9, 9})
	e.ID = nodeID(1)
	if n.x.Fits(w.now, &n.table, e, p.ID); !p.Vetoed {
		t.Error("not vetoed")
	}
	e.Versions = goodFit
	if n.x.Fits(w.now, &n.table, e, p.ID); p.Vetoed {
		t.Error("vetoed after its versions have changed")
	}
	n.add(memberNo(1))
	e.Versions = [6]byte{9, 9, 9, 9, 9, 9}
	if n.x.Fits(w.now, &n.table, e, p.ID); p.Vetoed {
		t.Error("a live member is vetoed")
	}
}

func TestWalksThatMadeUpVersionsCauseAreBounded(t *testing.T) {
	w := newWorld(t, 1, nil)
	n := w.nodes[0]
	walked := 0
	for i := range 1000 {
		if fit := n.x.Fits(w.now, &n.table, entryOf(i, [6]byte{9, 9, 9, byte(i), byte(i >> 8), 1}), wire.NodeID{}); fit.Stranger != nil {
			walked++
		}
	}
	if walked != SearchRate.Burst {
		t.Errorf("%d walks", walked)
	}
	if fit := n.x.Fits(w.now.Add(time.Second), &n.table, entryOf(1, [6]byte{9, 9, 9, 9, 9, 9}), wire.NodeID{}); fit.Stranger == nil {
		t.Error("no walk a second later")
	}
}

func TestKnownVersionsAreNotLookedForAgain(t *testing.T) {
	w := newWorld(t, 1, nil)
	n := w.nodes[0]
	for i := range 1000 {
		if fit := n.x.Fits(w.now, &n.table, entryOf(i, goodFit), wire.NodeID{}); !fit.OK {
			t.Fatalf("entry %d: %+v", i, fit)
		}
	}
}

func TestVersionsThatDoNotGoWithANewMemberAreForgotten(t *testing.T) {
	var v Versions
	v.Note(goodFit)
	v.Note([6]byte{2, 5, 2, 2, 2, 2})
	if len(v.understood) != 2 {
		t.Fatalf("%v", v.understood)
	}
	v.Note(goodFit)
	if len(v.understood) != 2 {
		t.Errorf("twice: %v", v.understood)
	}
	v.Note([6]byte{9, 9, 9, 9, 9, 9})
	if len(v.understood) != 1 || !v.known([6]byte{9, 9, 9, 9, 9, 9}) {
		t.Errorf("%v", v.understood)
	}
}

func TestRememberedVersionsAreBounded(t *testing.T) {
	var v Versions
	for i := range 10 * versionsMax {
		v.Note([6]byte{1, 255, 2, 1, byte(i) | 2, 2 - byte(i>>8)&1})
		if len(v.understood) > versionsMax {
			t.Fatalf("%d are remembered", len(v.understood))
		}
	}
}

func TestListWithTooManyKindsOfVersionsIsRefused(t *testing.T) {
	w := newWorld(t, 1, nil)
	n := w.nodes[0]
	var list []members.Member
	for i := range versionsMax + 1 {
		m := said(i, 1, "").Member
		m.Versions = [6]byte{1, 5, 2, 1, byte(10 + i), 2}
		list = append(list, m)
	}
	if err := n.x.Versions.disagreement(&n.table, list[1:]); err != nil {
		t.Errorf("%d kinds: %v", versionsMax, err)
	}
	if err := n.x.Versions.disagreement(&n.table, list); err != errTooManyVersions {
		t.Errorf("%d kinds: %v", versionsMax+1, err)
	}
}

func TestListIsJudgedByItsLiveGoNodes(t *testing.T) {
	w := newWorld(t, 1, nil)
	n := w.nodes[0]
	bad := said(1, 1, "").Member
	bad.Versions = [6]byte{9, 9, 9, 9, 9, 9}
	dead, legacy := bad, bad
	dead.State = wire.StateDead
	legacy.ID = wire.NodeID{0: 9, 6: 0x40}
	if err := n.x.Versions.disagreement(&n.table, []members.Member{dead, legacy}); err != nil {
		t.Error(err)
	}
	err := n.x.Versions.disagreement(&n.table, []members.Member{dead, bad})
	if err == nil || !strings.Contains(err.Error(), `"stranger-1" and "node-0" do not understand each other`) {
		t.Error(err)
	}
}

func TestJoinOfClustersThatDoNotUnderstandEachOtherFails(t *testing.T) {
	w := newWorld(t, 2, func(i int, c *Config) {
		if i == 1 {
			c.Versions = [6]byte{1, 5, 2, 1, 4, 4}
		}
	})
	w.join(1, 0)
	w.deliver()
	switch got := w.nodes[1].ended; {
	case len(got) != 1:
		t.Errorf("len(got) is %d, want 1: %v", len(got), got)
	case got[0] == nil:
		t.Error("the first answer is missing")
	case !strings.Contains(got[0].Error(), "understand"):
		t.Errorf("got[0] lacks %q:\n%v", "understand", got[0])
	}
	w.idle()
}
