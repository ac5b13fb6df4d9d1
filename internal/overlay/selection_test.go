package overlay

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/selection"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func selecting(cfg *Config) { cfg.AskSelection = true }

func (n *node) selects(preferred int, selected ...int) {
	n.t.Helper()
	var ids []wire.NodeID
	for _, i := range selected {
		ids = append(ids, testID(i))
	}
	out, expected := n.Select(nil, n.now, n, ids, testID(preferred))
	if !expected {
		n.t.Error("nobody waited for the selection")
	}
	n.does(out)
	out, _ = n.Rechoose(nil, n.now, n)
	n.does(out)
}

func TestApplicationIsAskedBeforeAnybodyIsChosen(t *testing.T) {
	n := newNode(t, 10, selecting)
	n.rechoose()
	n.expect("ask")
	n.selects(0, 1, 2)
	if len(n.Choice()) != 2 || !n.chosen(testID(1)) || !n.chosen(testID(2)) {
		t.Errorf("%v are chosen", n.Choice())
	}
}

func TestPreferredMemberIsChosenBeforeAllOthers(t *testing.T) {
	n := newNode(t, 10, selecting)
	n.rechoose()
	n.selects(9, 1, 2, 3, 4, 5)
	n.now = n.now.Add(time.Minute)
	n.rechoose()
	if n.Choice()[0] != testID(9) || len(n.Choice()) < 3 {
		t.Errorf("%v are chosen, without %v before all others", n.Choice(), testID(9))
	}
}

func TestSelectionThatNobodyWaitedForIsIgnored(t *testing.T) {
	n := newNode(t, 10)
	out, expected := n.Select(nil, n.now, n, nil, wire.NodeID{})
	if expected || len(out) != 0 {
		t.Errorf("it was expected: %v; %d actions", expected, len(out))
	}
}

func TestBlockedApplicationDoesNotKeepTheNodeOut(t *testing.T) {
	n := newNode(t, 10, selecting)
	n.rechoose()
	n.expect("ask")
	n.now = n.now.Add(selection.Wait)
	n.rechoose()
	if len(n.Choice()) != 3 {
		t.Errorf("%d members are chosen", len(n.Choice()))
	}
	n.did()
	n.does(n.AskSelection(nil, n.now))
	n.expect("")
}

func TestDrawnMemberIsOneOfTheSelected(t *testing.T) {
	n := newNode(t, 10, selecting)
	n.rechoose()
	if m := n.DrawSelected(n.now, true); m != nil {
		t.Errorf("%v was drawn before any was selected", m)
	}
	n.selects(4, 0, 1, 2, 3)
	drawn := map[wire.NodeID]int{}
	for range 300 {
		drawn[n.DrawSelected(n.now, false).ID]++
	}
	for i := 1; i <= 4; i++ {
		if got := drawn[testID(i)]; got < 40 {
			t.Errorf("member %d was drawn %d times of 300", i, got)
		}
	}
	if len(drawn) != 4 {
		t.Errorf("%d members were drawn of 4", len(drawn))
	}
	if m := n.DrawSelected(n.now, true); m.ID != testID(4) {
		t.Errorf("%v was drawn instead of the preferred one", m)
	}
}
