package joining

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func all(wire.NodeID) bool { return true }

// PROTOCOL.md M8.
func TestDepartureIsSentToLinksUntilTheyConfirmIt(t *testing.T) {
	var l Leave
	l.Begin([]wire.NodeID{id(1), id(2), id(3)})
	now := start
	if got := l.Step(now, false, all); len(got) != 3 || !l.Due().Equal(now.Add(leaveWaits[0])) {
		t.Fatalf("%v are told, the next step is at %v", got, l.Due())
	}
	if l.Confirmed(id(2)) {
		t.Error("it is over after one of three")
	}
	now = l.Due()
	if got := l.Step(now, false, all); !slices.Equal(got, []wire.NodeID{id(1), id(3)}) {
		t.Errorf("%v are told again", got)
	}
	if l.Confirmed(id(1)) || !l.Confirmed(id(3)) {
		t.Error("it is not over with the last confirmation")
	}
	if !l.Due().IsZero() || l.Confirmed(id(3)) {
		t.Error("it is over twice")
	}
}

func TestDepartureIsGivenUp(t *testing.T) {
	var l Leave
	l.Begin([]wire.NodeID{id(1)})
	now, steps := start, 0
	for len(l.Step(now, false, all)) > 0 {
		now = l.Due()
		steps++
	}
	if steps != len(leaveWaits) || !l.Due().IsZero() {
		t.Errorf("told %d times, the next step is at %v", steps, l.Due())
	}
	if took := now.Sub(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestLinksThatCannotBeReachedAreNotWaitedFor(t *testing.T) {
	var l Leave
	l.Begin([]wire.NodeID{id(1), id(2)})
	if got := l.Step(start, false, func(n wire.NodeID) bool { return n == id(2) }); !slices.Equal(got, []wire.NodeID{id(2)}) {
		t.Errorf("%v are told", got)
	}
	if got := l.Step(l.Due(), false, func(wire.NodeID) bool { return false }); len(got) != 0 || !l.Due().IsZero() {
		t.Errorf("%v are told, the next step is at %v", got, l.Due())
	}
}

func TestDepartureOfANodeWithoutLinksIsOverAtOnce(t *testing.T) {
	var l Leave
	l.Begin(nil)
	if got := l.Step(start, false, all); len(got) != 0 || !l.Due().IsZero() {
		t.Errorf("%v are told, the next step is at %v", got, l.Due())
	}
}

func TestDepartureEndsWhenTheNodeJoinsAgain(t *testing.T) {
	var l Leave
	l.Begin([]wire.NodeID{id(1)})
	l.Step(start, false, all)
	if got := l.Step(l.Due(), true, all); len(got) != 0 || !l.Due().IsZero() {
		t.Errorf("%v are told, the next step is at %v", got, l.Due())
	}
	l.Begin([]wire.NodeID{id(2)})
	if got := l.Step(start, false, all); !slices.Equal(got, []wire.NodeID{id(2)}) {
		t.Errorf("of the next departure %v are told", got)
	}
}
