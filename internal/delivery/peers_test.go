package delivery_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestNodeOfGwyh01GetsABroadcastInItsForm(t *testing.T) {
	w := newWorld(t)
	l := w.linkLegacy(1)
	w.broadcast("hello")
	w.run(time.Second)
	if want := []wire.Kind{wire.KindBroadcast}; !slices.Equal(l.Kinds(), want) {
		t.Errorf("it got %v, want %v", l.Kinds(), want)
	}
}

func TestBroadcastThatNoLinkCanCarryIsRefused(t *testing.T) {
	w := newWorld(t)
	l := w.linkLegacy(1)
	var large *delivery.TooLargeError
	if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, make([]byte, delivery.LegacyMax+1)); !errors.As(err, &large) {
		t.Fatalf("error %v, want a TooLargeError", err)
	}
	if large.Max != delivery.LegacyMax {
		t.Errorf("limit %d, want %d", large.Max, delivery.LegacyMax)
	}
	w.run(time.Second)
	if len(l.Got) != 0 {
		t.Errorf("it got %v", l.Kinds())
	}
}

func TestLargeBroadcastLeavesNodesOfGwyh01OutAndIsCounted(t *testing.T) {
	w := newWorld(t)
	w.Link()
	l := w.linkLegacy(1)
	w.broadcast(string(make([]byte, delivery.LegacyMax+1)))
	w.run(5 * time.Second)
	if got := len(w.events(w.B, event.Message)); got != 1 {
		t.Errorf("the Go node got %d messages, want 1", got)
	}
	if slices.Contains(l.Kinds(), wire.KindBroadcast) {
		t.Errorf("the gwyh 0.1 node got %v", l.Kinds())
	}
	if got := w.A.Stats.Dropped[stats.DropLegacySize]; got != 1 {
		t.Errorf("counted %d times, want 1", got)
	}
}

func TestDirectMessageToAGwyh01NodeIsRefused(t *testing.T) {
	w := newWorld(t)
	l := w.A.AddLegacy(1)
	w.A.Add(&wire.Member{State: wire.StateAlive, ID: l.ID, Incarnation: 1, Name: []byte(legacy.Name(l.Path.Remote)), Addr: l.Path.Remote, Named: 1})
	_, _, err := w.A.Delivery.Directs.SendTo(nil, w.Now, l.Path.Remote, []byte("hello"), true, w.Now.Add(time.Second))
	if !errors.Is(err, direct.ErrLegacy) {
		t.Errorf("error %v, want %v", err, direct.ErrLegacy)
	}
	if out, err := w.A.Delivery.Directs.SendMember(nil, w.Now, l.ID, wire.UseRepeat, []byte("hello"), w.Now.Add(time.Second)); err != nil || len(out) != 0 {
		t.Errorf("a repeated broadcast has %d outcomes (%v), want none", len(out), err)
	}
}

func TestDirectMessageThatIsTooLargeIsRefused(t *testing.T) {
	w := newWorld(t)
	var large *delivery.TooLargeError
	_, _, err := w.A.Delivery.Directs.SendTo(nil, w.Now, w.B.Path.Remote, make([]byte, delivery.MessageMax+1), true, w.Now.Add(time.Second))
	if !errors.As(err, &large) {
		t.Errorf("error %v, want a TooLargeError", err)
	}
}

func TestMessageToAMemberArrivesOnce(t *testing.T) {
	w := newWorld(t)
	w.A.AddOther()
	m, out, err := w.A.Delivery.Directs.SendTo(nil, w.Now, w.B.Path.Remote, []byte("hello"), true, w.Now.Add(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	w.perform(out)
	w.run(5 * time.Second)
	if got := w.events(w.B, event.Message); len(got) != 1 || string(got[0].Data) != "hello" {
		t.Errorf("%d messages, want one", len(got))
	}
	if len(w.ended) != 1 {
		t.Fatalf("%d outcomes, want the end", len(w.ended))
	}
	if o := w.ended[0]; o.Message != m || o.Err != nil {
		t.Errorf("the end of the message: %t, with %v", o.Message == m, o.Err)
	}
}

func TestMessageToAMemberThatIsGoneIsNotSent(t *testing.T) {
	w := newWorld(t)
	for _, id := range []wire.NodeID{w.A.ID, {9, 6: 0x80}} {
		out, err := w.A.Delivery.Directs.SendMember(nil, w.Now, id, wire.UseRepeat, []byte("hello"), w.Now.Add(time.Second))
		if err != nil || len(out) != 0 {
			t.Errorf("%v: %d outcomes (%v), want none", id, len(out), err)
		}
	}
	if n := w.A.Lose(); n != 0 {
		t.Errorf("%d datagrams", n)
	}
}

func TestMemberAnswersWhetherItHasABroadcast(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.A.AddOther()
	w.broadcast("hello")
	w.run(time.Second)
	for _, c := range []struct {
		name string
		id   wire.MessageID
		want bool
	}{{"one that arrived", w.A.IDs.Last(), true}, {"another", wire.MessageID{5, 5}, false}} {
		t.Run(c.name, func(t *testing.T) {
			w.got[w.A] = nil
			out, err := w.A.Delivery.Directs.SendMember(nil, w.Now, w.B.ID, wire.UseCoverage, c.id[:], w.Now.Add(time.Second))
			if err != nil {
				t.Fatal(err)
			}
			w.perform(out)
			w.run(time.Second)
			got := w.events(w.A, event.Coverage)
			if len(got) != 1 {
				t.Fatalf("%d answers, want 1", len(got))
			}
			if got[0].Has != c.want {
				t.Errorf("it has the broadcast: %t, want %t", got[0].Has, c.want)
			}
		})
	}
}

func TestLostBroadcastIsRepaired(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.run(time.Second)
	for i, text := range []string{"one", "two", "three"} {
		w.broadcast(text)
		if i == 1 {
			if n := w.A.Lose(); n == 0 {
				t.Fatal("nothing was lost")
			}
		}
		w.run(10 * time.Millisecond)
	}
	w.run(5 * time.Second)
	texts := w.delivered(w.B)
	slices.Sort(texts)
	if want := []string{"one", "three", "two"}; !slices.Equal(texts, want) {
		t.Errorf("b got %q, want %q", texts, want)
	}
}

func TestNodeHasItsOwnBroadcastsAndThoseThatArrived(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.broadcast("hello")
	id := w.A.IDs.Last()
	if !w.A.Delivery.Broadcasts.Has(id) {
		t.Error("a does not have its own broadcast")
	}
	if w.B.Delivery.Broadcasts.Has(id) {
		t.Error("b has it before it arrived")
	}
	if w.run(time.Second); !w.B.Delivery.Broadcasts.Has(id) {
		t.Error("b does not have it after it arrived")
	}
}

func TestLargestSmallMessageFitsInOneDatagram(t *testing.T) {
	for _, more := range []int{0, 1} {
		w := newWorld(t)
		w.Link()
		w.run(time.Second)
		w.B.Kinds = nil
		data := strings.Repeat("x", w.A.Delivery.Broadcasts.SmallMax()+more)
		w.broadcast(data)
		w.run(5 * time.Second)
		if got := slices.Contains(w.B.Kinds, wire.KindFrame); more == 1 && !got {
			t.Errorf("%d bytes came in %v, want frames", len(data), w.B.Kinds)
		}
		if got := w.events(w.B, event.Message); len(got) != 1 || string(got[0].Data) != data {
			t.Errorf("%d bytes: %d messages, want 1", len(data), len(got))
		}
	}
}

func TestRemovedPeerIsNotFound(t *testing.T) {
	w := newWorld(t)
	if w.A.Delivery.Peer(w.B.ID) != w.A.Peer {
		t.Error("the peer is not found")
	}
	w.A.Delivery.Remove(w.A.Peer)
	if w.A.Delivery.Peer(w.B.ID) != nil {
		t.Error("a removed peer is found")
	}
}

func TestLinksAreInTheOrderInWhichTheyBegan(t *testing.T) {
	w := newWorld(t)
	one, two := w.linkLegacy(1), w.linkLegacy(2)
	w.A.Delivery.Link(w.Now, w.A.Peer)
	w.A.Delivery.Broadcasts.LinkBegan(w.Now, w.A.Peer)
	if want := []*delivery.Peer{one.Peer, two.Peer, w.A.Peer}; !slices.Equal(w.A.Delivery.Links(), want) {
		t.Error("another order")
	}
	w.A.Delivery.Unlink(w.Now, one.Peer)
	if want := []*delivery.Peer{two.Peer, w.A.Peer}; !slices.Equal(w.A.Delivery.Links(), want) {
		t.Error("another order after a link ended")
	}
	if one.Peer.Linked {
		t.Error("the link has not ended")
	}
}
