package liveness

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestActionsOfThePeerSendOneMessageEach(t *testing.T) {
	for _, c := range []struct {
		name   string
		action swim.Action
		want   wire.Kind
	}{
		{"ping", swim.Action{Kind: swim.SendPing}, wire.KindPing},
		{"request for a probe", swim.Action{Kind: swim.SendProbeFor, ProbeFor: wire.ProbeFor{Target: wire.NodeID{9, 6: 0x80}}}, wire.KindProbeFor},
		{"result of a probe", swim.Action{Kind: swim.SendProbeResult}, wire.KindProbeResult},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.action.Peer = w.a.swimPeer()
			w.a.do([]swim.Action{c.action})
			w.Run(moment)
			if len(w.b.Kinds) == 0 || w.b.Kinds[0] != c.want {
				t.Errorf("messages %v, want %v first", w.b.Kinds, c.want)
			}
			if len(w.a.left) != 0 {
				t.Errorf("%d actions are left", len(w.a.left))
			}
		})
	}
}

func TestActionOnAPeerThatIsGoneDoesNothing(t *testing.T) {
	w := newWorld(t)
	w.a.do([]swim.Action{{Kind: swim.SendPing, Peer: &swim.Peer{ID: wire.NodeID{9, 6: 0x80}}}})
	if n := w.a.Lose(); n != 0 {
		t.Errorf("%d datagrams", n)
	}
	if len(w.a.left) != 0 {
		t.Errorf("%d actions are left", len(w.a.left))
	}
}

func TestChangesOfTheTableAndOfLinksAreTheCallers(t *testing.T) {
	for _, k := range []swim.Kind{swim.EndLink, swim.DropLink, swim.DeclareDead, swim.RemoveAlone, swim.Refute} {
		w := newWorld(t)
		m := w.a.AddOther()
		w.a.do([]swim.Action{{Kind: k, Peer: w.a.swimPeer(), Member: m}})
		if len(w.a.left) != 1 || w.a.left[0].Kind != k {
			t.Errorf("action %d: left %+v", k, w.a.left)
		}
		if n := w.a.Lose(); n != 0 {
			t.Errorf("action %d: %d datagrams", k, n)
		}
	}
}

func TestNodeWithASessionIsReachedByAPing(t *testing.T) {
	w := newWorld(t)
	w.a.do([]swim.Action{{Kind: swim.Reach, ID: w.b.ID, Addr: w.b.Path.Remote}})
	w.Run(moment)
	if want := []wire.Kind{wire.KindPing}; !slices.Equal(w.b.Kinds, want) {
		t.Errorf("messages %v, want %v", w.b.Kinds, want)
	}
	if len(w.a.left) != 0 {
		t.Errorf("%d actions are left", len(w.a.left))
	}
}

func TestNodeThatDidNotAnswerAPingNeedsAHandshakeToo(t *testing.T) {
	w := newWorld(t)
	w.a.do([]swim.Action{{Kind: swim.Reach, ID: w.b.ID, Addr: w.b.Path.Remote, Again: true}})
	w.Run(moment)
	if want := []wire.Kind{wire.KindPing}; !slices.Equal(w.b.Kinds, want) {
		t.Errorf("messages %v, want %v", w.b.Kinds, want)
	}
	if len(w.a.left) != 1 {
		t.Errorf("%d actions are left, want 1", len(w.a.left))
	}
}

func TestNodeWithoutASessionNeedsAHandshake(t *testing.T) {
	w := newWorld(t)
	w.a.do([]swim.Action{{Kind: swim.Reach, ID: wire.NodeID{9, 6: 0x80}, Addr: w.b.Path.Remote}})
	if len(w.a.left) != 1 || w.a.left[0].Kind != swim.Reach {
		t.Errorf("left %+v, want the Reach", w.a.left)
	}
	if n := w.a.Lose(); n != 0 {
		t.Errorf("%d datagrams", n)
	}
}

func TestSilentLinkLearnsFromThePingWhenItWasHeard(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.Run(time.Second)
	w.b.Kinds = nil
	w.a.do([]swim.Action{{Kind: swim.Reach, ID: w.b.ID}})
	w.Run(0)
	if want := []wire.Kind{wire.KindPing, wire.KindSyncRoot}; !slices.Equal(w.b.Kinds, want) {
		t.Errorf("messages %v, want %v", w.b.Kinds, want)
	}
}

func TestAccusationsAreSpreadExceptToTheirSource(t *testing.T) {
	for _, c := range []struct {
		name string
		via  func(w *world) *swim.Peer
		want int
	}{
		{"own", func(*world) *swim.Peer { return nil }, 1},
		{"from the other node", func(w *world) *swim.Peer { return w.a.swimPeer() }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.Link()
			m := w.a.Add(&wire.Member{State: wire.StateAlive, ID: wire.NodeID{9, 6: 0x80, 8: 0x80}, Incarnation: 1, Name: []byte("m"), Addr: w.b.Path.Remote})
			via := c.via(w)
			w.a.do(w.a.Detector.HandleAccusation(nil, w.Now, m, 1, w.b.ID, via))
			w.Run(0)
			if got := len(w.b.got); got != c.want {
				t.Errorf("%d entries %+v, want %d", got, w.b.got, c.want)
			}
		})
	}
}

func TestSuspectGetsWhatItIsAccusedOf(t *testing.T) {
	w := newWorld(t)
	m := w.a.AddOther()
	w.a.do(w.a.Detector.HandleAccusation(nil, w.Now, m, m.Incarnation, wire.NodeID{8, 6: 0x80}, nil))
	w.Run(0)
	var states []wire.State
	for _, e := range w.b.got {
		states = append(states, e.State)
	}
	if want := []wire.State{wire.StateAlive, wire.StateSuspect}; !slices.Equal(states, want) {
		t.Errorf("entries in the states %v, want %v: the entry and its accusation", states, want)
	}
}

func TestNoticesAreRare(t *testing.T) {
	w := newWorld(t)
	m := w.a.AddOther()
	for range 5 {
		w.a.Notify(w.Now, w.a.Peer, m)
	}
	w.Run(0)
	if got := len(w.b.got); got != 1 {
		t.Errorf("%d entries, want 1", got)
	}
}

func TestOnlyANodeThatHasLeftRemindsItsPeers(t *testing.T) {
	w := newWorld(t)
	w.a.Remind(w.Now, w.a.Peer)
	w.Run(0)
	if len(w.b.got) != 0 {
		t.Fatalf("a member sent %+v", w.b.got)
	}
	w.a.Members.Leave(w.Now)
	w.a.Remind(w.Now, w.a.Peer)
	w.Run(0)
	if len(w.b.got) != 1 || w.b.got[0].ID != w.a.ID || w.b.got[0].State != wire.StateLeft {
		t.Errorf("entries %+v, want one that says that a has left", w.b.got)
	}
}

func TestPathOfASilentPeerIsChecked(t *testing.T) {
	w := newWorld(t)
	w.Run(time.Minute)
	w.b.Kinds = nil
	w.a.do([]swim.Action{{Kind: swim.CheckPath, Peer: w.a.swimPeer()}, {Kind: swim.Watch, Peer: w.a.swimPeer(), At: w.Now.Add(time.Second)}})
	if at := w.a.Timers.Next(); at.After(w.Now.Add(time.Second)) {
		t.Errorf("the next timeout is %v from now, want 1s at most", at.Sub(w.Now))
	}
	if len(w.a.left) != 0 {
		t.Errorf("%d actions are left", len(w.a.left))
	}
}
