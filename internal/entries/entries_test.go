package entries

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestNewsGoesToEveryLinkExceptItsSource(t *testing.T) {
	w := newWorld(t)
	w.link()
	other, fromB := w.a.add(memberOf(1)), w.a.add(memberOf(2))
	w.a.Spread(w.now, other, wire.NodeID{})
	w.a.Spread(w.now, fromB, w.b.members.Self().ID)
	w.run(time.Second)
	if len(w.b.got) != 1 || w.b.got[0].ID != other.ID {
		t.Errorf("b got %d entries: %+v, want one of %v", len(w.b.got), w.b.got, other.ID)
	}
	if got := w.a.stats.MembersForwarded; got != 1 {
		t.Errorf("%d entries counted, want 1", got)
	}
	w.run(10 * time.Second)
	if len(w.b.got) != 1 {
		t.Errorf("the news was sent again: %+v", w.b.got)
	}
}

func TestNewsGoesToNoPeerWithoutALink(t *testing.T) {
	w := newWorld(t)
	w.a.Spread(w.now, w.a.add(memberOf(1)), wire.NodeID{})
	w.run(10 * time.Second)
	if len(w.b.got) != 0 {
		t.Errorf("b got %+v", w.b.got)
	}
}

func TestNewsOfOneMomentSharesAMessage(t *testing.T) {
	w := newWorld(t)
	w.link()
	for i := range 10 {
		w.a.Spread(w.now, w.a.add(memberOf(i)), wire.NodeID{})
	}
	w.b.kinds = nil
	w.a.FlushNews(w.now)
	w.run(0)
	if len(w.b.got) != 10 {
		t.Errorf("b got %d entries, want 10", len(w.b.got))
	}
	if want := []wire.Kind{wire.KindMembers}; !slices.Equal(w.b.kinds, want) {
		t.Errorf("messages %v, want %v", w.b.kinds, want)
	}
}

func TestAccusationIsSentAtOnceAndNamesItsAccuser(t *testing.T) {
	w := newWorld(t)
	w.link()
	m, accuser := w.a.add(memberOf(1)), w.a.add(memberOf(2))
	w.a.detector.HandleAccusation(nil, w.now, m, m.Incarnation, accuser.ID, nil)
	w.a.SpreadAccusation(w.now, m, wire.NodeID{})
	w.run(0)
	want := wire.Member{State: wire.StateSuspect, ID: m.ID, Incarnation: m.Incarnation, From: accuser.ID}
	found := slices.ContainsFunc(w.b.got, func(e wire.Member) bool {
		return e.State == want.State && e.ID == want.ID && e.Incarnation == want.Incarnation && e.From == want.From
	})
	if !found {
		t.Errorf("b got %+v, want the accusation %+v", w.b.got, want)
	}
}

func TestComparisonGivesEachNodeWhatItLacks(t *testing.T) {
	w := newWorld(t)
	w.link()
	for i := range 40 {
		n := w.a
		if i%2 == 1 {
			n = w.b
		}
		n.add(memberOf(i))
	}
	w.a.Greet(w.now, w.a.peer)
	w.b.Greet(w.now, w.b.peer)
	w.run(10 * time.Second)
	if a, b := w.a.members.Root(0), w.b.members.Root(0); a != b {
		t.Errorf("the tables have the roots %v and %v", a, b)
	}
	for _, n := range []*node{w.a, w.b} {
		if got := n.members.Count(); got != 42 {
			t.Errorf("%d members, want 42", got)
		}
	}
	if !w.a.ended {
		t.Error("the comparison has not ended")
	}
}

func TestAnswersKeepTheirLimitOfDatagrams(t *testing.T) {
	w := newWorld(t)
	w.b.refuses = true
	var list []*members.Entry
	for i := range 200 {
		list = append(list, w.a.add(memberOf(i)))
	}
	if sent := w.a.SendEntries(w.now, w.a.peer, list, 3); sent != 3 {
		t.Errorf("%d datagrams, want 3", sent)
	}
	w.run(time.Second)
	if got := len(w.b.got); got == 0 || got >= len(list) {
		t.Errorf("b got %d of %d entries", got, len(list))
	}
}
