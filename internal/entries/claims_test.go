package entries

import (
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// claimant returns the entry of another node that claims the name of B and began later, at B's address or at another one.
func (w *world) claimant(atItsAddress bool) *wire.Member {
	e := pair.Member(7)
	e.Name = []byte(w.b.Members.Self().Name)
	e.Named = uint64(w.Now.Add(time.Minute).UnixMilli())
	if atItsAddress {
		e.Addr = w.B.Path.Remote
	}
	return e
}

// peerOf gives A the peer of an entry, which has no session.
func (w *world) peerOf(e *wire.Member) *delivery.Peer {
	p := &delivery.Peer{}
	w.A.Delivery.Add(p, w.A.Sessions.Add(w.Now, &handshake.Established{Peer: e.ID}, &p.Timer))
	p.Timer.Fire = func(time.Time) {}
	w.A.Detector.AddPeer(&p.Swim)
	return p
}

func TestNameOfALiveMemberIsNotGrantedAtAnotherAddress(t *testing.T) {
	w := newWorld(t)
	holder, e := w.a.AddOther(), w.claimant(false)
	p := w.peerOf(e)
	w.A.Events.Take()
	if claim := w.a.Claim(w.Now, e); claim.Granted {
		t.Fatal("the name was granted")
	}
	if got := w.A.Members.Named(holder.Name); got != holder {
		t.Errorf("the name belongs to %v", got)
	}
	if !p.Waits {
		t.Error("the claimant does not wait for its name")
	}
	var conflicts []event.Event
	var lines []string
	for _, e := range w.A.Events.Take() {
		switch e.Kind {
		case event.Conflict:
			conflicts = append(conflicts, e)
		case event.Log:
			lines = append(lines, e.Text)
		}
	}
	if len(conflicts) != 1 {
		t.Fatalf("%d conflicts reported to the application, want 1", len(conflicts))
	}
	if c := conflicts[0]; c.Member.ID != holder.ID || c.Other.ID != e.ID {
		t.Errorf("a conflict of %v and %v, want %v and %v", c.Member.ID, c.Other.ID, holder.ID, e.ID)
	}
	if len(lines) != 1 || !strings.Contains(lines[0], e.Addr.String()) {
		t.Errorf("logged %q, want one line with the address of the claimant", lines)
	}
}

func TestHolderOfANameLearnsWhoClaimsIt(t *testing.T) {
	w := newWorld(t)
	w.a.AddOther()
	e := w.claimant(false)
	w.a.Claim(w.Now, e)
	w.Run(0)
	for _, got := range w.b.got {
		if got.ID == e.ID {
			return
		}
	}
	t.Errorf("b got %v", w.b.got)
}

func TestConflictIsReportedAtABoundedRate(t *testing.T) {
	w := newWorld(t)
	w.a.AddOther()
	w.A.Events.Take()
	for i := range 1000 {
		e := w.claimant(false)
		e.ID[1], e.ID[2] = byte(i>>8), byte(i)
		w.a.Claim(w.Now, e)
	}
	if got := len(w.A.Events.Take()); got > 10 {
		t.Errorf("%d events of 1,000 claims", got)
	}
}

// A new run of a node gets its name at once if it has answered at the address, which only its node can, and the earlier run
// has no session: an entry alone shows neither.
func TestNewRunGetsItsNameWhenItHasAnsweredAndTheEarlierRunCannot(t *testing.T) {
	for _, c := range []struct {
		name              string
		answered, session bool
		granted           bool
	}{
		{"an entry alone", false, false, false},
		{"it has answered, the earlier run has a session", true, true, false},
		{"it has answered, the earlier run has none", true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			holder, e := w.a.AddOther(), w.claimant(true)
			if !c.session {
				w.A.Delivery.Remove(w.A.Peer)
			}
			if p := w.peerOf(e); c.answered {
				p.NoteAnsweredAt(w.Now, e.Addr)
			}
			claim := w.a.Claim(w.Now, e)
			if claim.Granted != c.granted {
				t.Fatalf("granted: %t, want %t", claim.Granted, c.granted)
			}
			if replaced := claim.Replaced == holder; replaced != c.granted {
				t.Errorf("the earlier run was replaced: %t", replaced)
			}
		})
	}
}

func TestNameThatNobodyHasIsGranted(t *testing.T) {
	w := newWorld(t)
	e := pair.Member(1)
	p := w.peerOf(e)
	p.Waits = true
	if claim := w.a.Claim(w.Now, e); !claim.Granted {
		t.Error("refused")
	}
	if p.Waits {
		t.Error("the node still waits for its name")
	}
}

func TestLinkWithANewRunCarriesNothingOnceTheHolderHasAnswered(t *testing.T) {
	w := newWorld(t)
	holder, e := w.a.AddOther(), w.claimant(true)
	p := w.peerOf(e)
	p.NoteAnsweredAt(w.Now, e.Addr)
	w.A.Delivery.Link(w.Now, p)
	claim := w.a.Claim(w.Now, e)
	if claim.Granted || !claim.NewRun {
		t.Fatalf("granted %t, new run %t: want a claim that waits for the holder", claim.Granted, claim.NewRun)
	}
	if got := len(w.A.Delivery.Links()); got != 1 {
		t.Fatalf("broadcasts pass over %d links, want the one with the new run", got)
	}
	w.a.Dismiss(w.Now, holder)
	if got := len(w.A.Delivery.Links()); got != 0 {
		t.Errorf("broadcasts pass over %d links after the holder has answered", got)
	}
	if w.A.Members.Get(e.ID) != nil {
		t.Error("the claimant is a member")
	}
}

func TestRequestComesAfterTheEntryOfItsNode(t *testing.T) {
	w := newWorld(t)
	w.a.Request(w.Now, w.a.Peer, wire.KindStartSubscription)
	w.Run(0)
	if len(w.B.Kinds) != 2 || w.B.Kinds[0] != wire.KindMembers || w.B.Kinds[1] != wire.KindStartSubscription {
		t.Fatalf("b got %v", w.B.Kinds)
	}
	if w.B.Members.Get(w.A.ID) == nil {
		t.Error("b does not know a")
	}
}

func TestRequestToAGwyh01NodeHasNoEntry(t *testing.T) {
	w := newWorld(t)
	l := w.A.AddLegacy(1)
	w.a.Request(w.Now, l.Peer, wire.KindStartSubscription)
	w.Run(0)
	if got := l.Kinds(); len(got) != 1 || got[0] != wire.KindStartSubscription {
		t.Errorf("it got %v", got)
	}
}

func TestDepartureIsSentWithAPing(t *testing.T) {
	w := newWorld(t)
	w.b.AddOther()
	w.A.Members.Leave(w.Now)
	w.a.SendDeparture(w.Now, w.a.Peer)
	w.Run(0)
	if len(w.B.Kinds) != 2 || w.B.Kinds[0] != wire.KindMembers || w.B.Kinds[1] != wire.KindPing {
		t.Fatalf("b got %v, want a's entry and a Ping", w.B.Kinds)
	}
	if got := w.b.got; len(got) != 1 || got[0].State != wire.StateLeft {
		t.Errorf("b got the entries %v", got)
	}
}

func TestCorrectionHasTheEntryOfOneMember(t *testing.T) {
	w := newWorld(t)
	var m *members.Entry
	for i := range 3 {
		m = w.a.Add(pair.Member(i + 1))
	}
	w.a.Correct(w.Now, w.a.Peer, m)
	w.Run(0)
	if got := w.b.got; len(got) != 1 || got[0].ID != m.ID {
		t.Errorf("b got %v, want the entry of %v", got, m.ID)
	}
}

func TestMalformedMessagesOfAComparisonAreCounted(t *testing.T) {
	w := newWorld(t)
	bad := []byte{0xc1, 0xff}
	w.a.ReceiveBuckets(w.Now, w.a.Peer, bad)
	w.a.ReceiveWant(w.Now, w.a.Peer, bad)
	w.Run(0)
	if got := w.A.Stats.Dropped[stats.DropMalformedBody]; got != 2 {
		t.Errorf("%d counted, want 2", got)
	}
	if len(w.B.Kinds) != 0 {
		t.Errorf("b got %v", w.B.Kinds)
	}
}

// Two nodes that have swapped their addresses wait for each other's name. Their links pass on what shows that.
func TestLinksLearnOnceThatAWaitingNodeHasTheAddressOfADeadOne(t *testing.T) {
	w := newWorld(t)
	w.Link()
	one, two := pair.Member(1), pair.Member(2)
	w.a.Add(one)
	w.a.Add(two)
	for _, e := range []*wire.Member{one, two} {
		w.A.Members.SetGone(w.Now, &wire.Member{ID: e.ID, State: wire.StateDead, Incarnation: e.Incarnation, From: w.A.ID})
	}
	swapped := pair.Member(3)
	swapped.Name, swapped.Addr, swapped.Incarnation = one.Name, two.Addr, one.Incarnation+1
	for range 3 {
		if claim := w.a.Claim(w.Now, swapped); claim.Granted {
			t.Fatal("a reserved name was granted")
		}
	}
	w.Run(0)
	if got := w.b.got; len(got) != 1 || got[0].ID != swapped.ID {
		t.Errorf("b got %v, want one entry of %v", got, swapped.ID)
	}
}
