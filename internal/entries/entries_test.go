package entries

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestNewsGoesToEveryLinkExceptItsSource(t *testing.T) {
	w := newWorld(t)
	w.Link()
	other, fromB := w.a.Add(pair.Member(1)), w.a.Add(pair.Member(2))
	w.a.Spread(w.Now, other, wire.NodeID{})
	w.a.Spread(w.Now, fromB, w.b.ID)
	w.Run(time.Second)
	if len(w.b.got) != 1 || w.b.got[0].ID != other.ID {
		t.Errorf("b got %d entries: %+v, want one of %v", len(w.b.got), w.b.got, other.ID)
	}
	if got := w.a.Stats.MembersForwarded; got != 1 {
		t.Errorf("%d entries counted, want 1", got)
	}
	w.Run(10 * time.Second)
	if len(w.b.got) != 1 {
		t.Errorf("the news was sent again: %+v", w.b.got)
	}
}

func TestNewsGoesToNoPeerWithoutALink(t *testing.T) {
	w := newWorld(t)
	w.a.Spread(w.Now, w.a.Add(pair.Member(1)), wire.NodeID{})
	w.Run(10 * time.Second)
	if len(w.b.got) != 0 {
		t.Errorf("b got %+v", w.b.got)
	}
}

func TestNewsOfOneMomentSharesAMessage(t *testing.T) {
	w := newWorld(t)
	w.Link()
	for i := range 10 {
		w.a.Spread(w.Now, w.a.Add(pair.Member(i)), wire.NodeID{})
	}
	w.b.Kinds = nil
	w.a.FlushNews(w.Now)
	w.Run(0)
	if len(w.b.got) != 10 {
		t.Errorf("b got %d entries, want 10", len(w.b.got))
	}
	if want := []wire.Kind{wire.KindMembers}; !slices.Equal(w.b.Kinds, want) {
		t.Errorf("messages %v, want %v", w.b.Kinds, want)
	}
}

func TestAccusationIsSentAtOnceAndNamesItsAccuser(t *testing.T) {
	w := newWorld(t)
	w.Link()
	m, accuser := w.a.Add(pair.Member(1)), w.a.Add(pair.Member(2))
	w.a.Detector.HandleAccusation(nil, w.Now, m, m.Incarnation, accuser.ID, nil)
	w.a.SpreadAccusation(w.Now, m, wire.NodeID{})
	w.Run(0)
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
	w.Link()
	for i := range 40 {
		n := w.a
		if i%2 == 1 {
			n = w.b
		}
		n.Add(pair.Member(i))
	}
	w.a.Greet(w.Now, w.a.Peer)
	w.b.Greet(w.Now, w.b.Peer)
	w.Run(10 * time.Second)
	if a, b := w.a.Members.Root(0), w.b.Members.Root(0); a != b {
		t.Errorf("the tables have the roots %v and %v", a, b)
	}
	for _, n := range []*node{w.a, w.b} {
		if got := n.Members.Count(); got != 42 {
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
		list = append(list, w.a.Add(pair.Member(i)))
	}
	if sent := w.a.SendEntries(w.Now, w.a.Peer, list, 3); sent != 3 {
		t.Errorf("%d datagrams, want 3", sent)
	}
	w.Run(time.Second)
	if got := len(w.b.got); got == 0 || got >= len(list) {
		t.Errorf("b got %d of %d entries", got, len(list))
	}
}
