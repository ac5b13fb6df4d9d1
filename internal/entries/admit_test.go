package entries

import (
	"net/netip"
	"testing"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestEntryThatMustBeRefusedIsCountedByItsReason(t *testing.T) {
	for _, c := range []struct {
		name  string
		tweak func(e *wire.Member)
		drop  stats.Drop // zero if the entry is accepted
	}{
		{"acceptable", func(*wire.Member) {}, 0},
		{"loopback address", func(e *wire.Member) { e.Addr = netip.MustParseAddrPort("127.0.0.1:6969") }, stats.DropAddress},
		{"no name", func(e *wire.Member) { e.Name = nil }, stats.DropOversize},
		{"much metadata", func(e *wire.Member) { e.Meta = make([]byte, 1000) }, stats.DropOversize},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			e := pair.Member(1)
			c.tweak(e)
			if got, want := w.a.Admissible(w.Now, e), c.drop == 0; got != want {
				t.Errorf("admissible %t, want %t", got, want)
			}
			node := members.Member{ID: e.ID, Name: string(e.Name), Addr: e.Addr, Meta: e.Meta, Incarnation: e.Incarnation}
			if err := w.a.Veto(&node); (err == nil) != (c.drop == 0) {
				t.Errorf("veto against the node of a Join: %v", err)
			}
			if c.drop != 0 && w.a.Stats.Dropped[c.drop] != 2 {
				t.Errorf("%d were counted, want 2", w.a.Stats.Dropped[c.drop])
			}
		})
	}
}

func TestMemberIsNotRefusedAgainInAJoin(t *testing.T) {
	w := newWorld(t)
	if err := w.a.Veto(nil); err != nil {
		t.Error(err)
	}
}

func TestComparisonEndsIfTheVerdictsHaveMadeTheTablesEqual(t *testing.T) {
	for _, c := range []struct {
		name  string
		admit bool // the application of b admits the member that b lacks
	}{{"admitted", true}, {"kept out", false}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.a.Add(pair.Member(1))
			w.a.AddOther()
			w.b.AddOther()
			w.b.refuses = true // the application decides later
			if ended := w.b.Decided(w.Now, w.b.Peer); ended {
				t.Fatal("a comparison has ended that never began")
			}
			w.b.Compare(w.Now, w.b.Peer)
			w.Run(0)
			w.a.SendRoot(w.Now, w.a.Peer)
			w.Run(0)
			if !w.b.Peer.Sync.Active() || w.b.Peer.Sync.Waiting() {
				t.Fatal("no comparison waits for the verdict")
			}
			if c.admit {
				w.b.Add(pair.Member(1))
			}
			w.a.Kinds = nil
			if ended := w.b.Decided(w.Now, w.b.Peer); ended != c.admit {
				t.Errorf("the comparison has ended: %t, want %t", ended, c.admit)
			}
			w.Run(0)
			if again := len(w.a.Kinds) > 0; again == c.admit {
				t.Errorf("messages of another round: %v", w.a.Kinds)
			}
		})
	}
}
