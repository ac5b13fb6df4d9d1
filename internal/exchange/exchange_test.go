package exchange

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestBothNodesGetTheStateOfTheOther(t *testing.T) {
	for _, c := range []struct {
		name  string
		state string
	}{{"small", "state"}, {"large", strings.Repeat("state", 20_000)}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.a.state, w.b.state = []byte("a "+c.state), []byte("b "+c.state)
			w.a.begin()
			w.run(5 * time.Second)
			w.a.wantMerged(t, "b "+c.state)
			w.b.wantMerged(t, "a "+c.state)
			if l := w.a.x.Load(); l != (pushpull.Load{}) {
				t.Errorf("a has left over %+v", l)
			}
		})
	}
}

func TestApplicationWithoutAStateIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t)
	w.b.x.Config.State = false
	w.a.begin()
	w.run(5 * time.Second)
	w.a.wantMerged(t)
	w.b.wantMerged(t)
	if l := w.a.x.Load(); l.Ours != 0 {
		t.Errorf("%d exchanges still wait", l.Ours)
	}
	if !slices.Contains(w.a.Kinds, wire.KindDirect) {
		t.Error("there was no answer")
	}
}

func TestPushThatFindsNoRoomIsRefused(t *testing.T) {
	w := newWorld(t)
	w.b.x.Config.MessageMax = 1 // no push fits
	w.a.begin()
	w.run(time.Second)
	if !slices.Contains(w.a.Kinds, wire.KindStateRefused) {
		t.Fatalf("a got %v, want a refusal", w.a.Kinds)
	}
	w.b.wantMerged(t)
	if l := w.a.x.Load(); l.Ours != 0 {
		t.Errorf("%d exchanges still wait", l.Ours)
	}
}

func TestQuestionsToTheApplicationSayWhatIsAsked(t *testing.T) {
	join := &pushpull.Join{Token: 7}
	m := members.Member{ID: wire.NodeID{9}, Name: "nine"}
	for _, c := range []struct {
		name    string
		outcome pushpull.Outcome
		want    event.Event
	}{
		{"state", pushpull.Outcome{Kind: pushpull.StateWanted, Token: 3, Join: join, Joining: true},
			event.Event{Kind: event.StateWanted, State: 3, Token: 7, Joining: true}},
		{"state in the background", pushpull.Outcome{Kind: pushpull.StateWanted, Token: 3}, event.Event{Kind: event.StateWanted, State: 3}},
		{"merge of a state", pushpull.Outcome{Kind: pushpull.StateArrived, Token: 3, Data: []byte("state")},
			event.Event{Kind: event.State, State: 3, Data: []byte("state")}},
		{"merge of clusters", pushpull.Outcome{Kind: pushpull.MergeAsked, Token: 3, Members: []members.Member{m}},
			event.Event{Kind: event.MergeAsked, State: 3, Peers: []members.Member{m}}},
		{"node", pushpull.Outcome{Kind: pushpull.AliveAsked, Vote: 5, Join: join, Member: &m}, event.Event{Kind: event.AliveAsked, Vote: 5, Token: 7, Member: m}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.a.Events.Take()
			if !w.a.Perform(w.Now, &c.outcome) {
				t.Fatal("it is left to the caller")
			}
			events := w.a.Events.Take()
			if len(events) != 1 {
				t.Fatalf("%d events, want 1", len(events))
			}
			got := events[0]
			if got.Kind != c.want.Kind || got.Token != c.want.Token || got.Joining != c.want.Joining {
				t.Errorf("event %d of Join %d, joining %t; want %d, %d, %t", got.Kind, got.Token, got.Joining, c.want.Kind, c.want.Token, c.want.Joining)
			}
			if got.State != c.want.State || got.Vote != c.want.Vote {
				t.Errorf("tokens %d and %d, want %d and %d", got.State, got.Vote, c.want.State, c.want.Vote)
			}
			if got.Member.Name != c.want.Member.Name || len(got.Peers) != len(c.want.Peers) || !bytes.Equal(got.Data, c.want.Data) {
				t.Errorf("content %q, %d members, %q", got.Member.Name, len(got.Peers), got.Data)
			}
		})
	}
}

func TestRefusalsAreLogged(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome pushpull.Outcome
		want    string
	}{
		{"veto here", pushpull.Outcome{Kind: pushpull.VetoedHere, Err: errors.New("no")}, "not becoming one cluster"},
		{"veto there", pushpull.Outcome{Kind: pushpull.VetoedByPeer, Err: &pushpull.VetoError{Reason: "no"}}, "refuses this node"},
		{"state of the peer", pushpull.Outcome{Kind: pushpull.StateTooLarge, Size: 1 << 40}, "1099511627776 bytes"},
		{"own state", pushpull.Outcome{Kind: pushpull.OwnStateTooLarge, Size: 1 << 40}, "1099511627776 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.a.Events.Take()
			c.outcome.Peer = &w.a.peer
			w.a.do([]pushpull.Outcome{c.outcome})
			if lines := w.a.Warnings(); len(lines) != 1 || !strings.Contains(lines[0], c.want) {
				t.Errorf("log %q, want a line with %q", lines, c.want)
			}
		})
	}
}

func TestPeerThatIsGoneIsSentNothing(t *testing.T) {
	w := newWorld(t)
	gone := &pushpull.Peer{ID: wire.NodeID{9, 6: 0x80}}
	w.a.do([]pushpull.Outcome{{Kind: pushpull.SendNothing, Peer: gone}, {Kind: pushpull.SendRefusal, Peer: gone}})
	if n := w.a.Lose(); n != 0 {
		t.Errorf("%d datagrams", n)
	}
	if _, _, ok := w.a.Send(nil, w.Now, &pushpull.Outcome{Kind: pushpull.Send, Peer: gone}); ok {
		t.Error("a push is sent to it")
	}
}

func TestWhatChangesJoinsIsTheCallers(t *testing.T) {
	w := newWorld(t)
	kinds := []pushpull.OutcomeKind{pushpull.ListArrived, pushpull.Agreed, pushpull.JoinFailed, pushpull.JoinAdvanced, pushpull.RoomMade,
		pushpull.Pull, pushpull.SelectionWanted, pushpull.Subscribes}
	for _, k := range kinds {
		w.a.do([]pushpull.Outcome{{Kind: k, Peer: &w.a.peer}})
	}
	if !slices.Equal(w.a.left, kinds) {
		t.Errorf("left %v, want %v", w.a.left, kinds)
	}
}

func TestMessageOfTheApplicationBelongsToNoExchange(t *testing.T) {
	if e := ExchangeOf(&direct.Message{}); e != nil {
		t.Errorf("it belongs to %p", e)
	}
}
