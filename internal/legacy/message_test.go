package legacy

import (
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestBroadcastIsTakenInOnlyFromAMember(t *testing.T) {
	for _, c := range []struct {
		name           string
		member, vetoed bool
		want           bool
	}{
		{"a member", true, false, true},
		{"no member", false, false, false},
		{"a member that the application keeps out", true, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.peer(1)
			if c.member {
				w.member(1)
			}
			w.contact[p.id].Vetoed = c.vetoed
			got := w.receive(p, wire.AppendBroadcast(nil, wire.Arrays, wire.MessageID{1}, []byte("hello")))
			if got != c.want {
				t.Errorf("taken in: %v, want %v", got, c.want)
			}
			if dropped := w.g.Stats.Unexpected == 1; dropped == c.want {
				t.Errorf("counted as dropped: %v", dropped)
			}
			w.wantLog()
		})
	}
}

func TestMessagesOfThisNodeThatAPeerForwardsBackAreIgnored(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	for _, kind := range []wire.Kind{wire.KindStartSubscription, wire.KindSubscriptionStarted} {
		w.receiveMessage(p, &wire.Message{Kind: kind}, true)
		w.wantLog()
	}
	w.receiveMessage(p, &wire.Message{Kind: wire.KindSubscriptionStarted}, false)
	w.wantLog("old-1 has confirmed")
}

func TestMessagesThatAreOnlySignsOfLifeChangeNothing(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	for _, kind := range []wire.Kind{wire.KindNak, wire.KindFrame, wire.KindEndSubscription, wire.KindPeerList} {
		if w.receiveMessage(p, &wire.Message{Kind: kind}, false) {
			t.Errorf("a %v is a broadcast", kind)
		}
	}
	w.wantLog()
	if w.g.Stats != (Stats{}) {
		t.Errorf("counted %+v", w.g.Stats)
	}
}

func TestMessagesThatNoGwyh01NodeSendsAreCounted(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	for i, kind := range []wire.Kind{wire.KindMembers, wire.KindDirect, wire.KindUnknown} {
		w.receiveMessage(p, &wire.Message{Kind: kind}, false)
		if got := w.g.Stats.Unexpected; got != uint64(i+1) {
			t.Errorf("%d messages were counted after a %v, want %d", got, kind, i+1)
		}
	}
	w.wantLog()
}

func TestPeerStatusIsPassedOnExceptToItsSender(t *testing.T) {
	w := newWorld(t)
	w.receive(w.known(1), wire.AppendPeerStatus(nil, wire.MessageID{1}, wire.Peer{ID: legacyID(2), Addr: addr(1002)}, false))
	w.wantLog("pass on old-2 up false except to old-1")
}

func TestPeerStatusThatDoesNotParseIsCounted(t *testing.T) {
	w := newWorld(t)
	w.receiveMessage(w.known(1), &wire.Message{Kind: wire.KindPeerStatus, Data: []byte{0xff}}, false)
	if got := w.g.Stats.Malformed; got != 1 {
		t.Errorf("%d messages were counted, want 1", got)
	}
	w.wantLog()
}
