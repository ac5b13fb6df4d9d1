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
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A world is two nodes that hand what arrives to their Delivery as a core does.
type world struct {
	*pair.World
	got   map[*pair.Node][]event.Event // events for the application
	ended []*direct.Outcome            // direct messages of A that ended, or that need a handshake
}

func newWorld(t *testing.T) *world {
	w := &world{World: pair.New(t), got: map[*pair.Node][]event.Event{}}
	for _, n := range []*pair.Node{w.A, w.B} {
		n.Handle = func(in pair.Arrival, m *wire.Message) { w.handle(n, in, m) }
	}
	return w
}

func (w *world) handle(n *pair.Node, in pair.Arrival, m *wire.Message) {
	d, p := n.Delivery, n.Peer
	switch m.Kind {
	case wire.KindCast:
		d.Broadcasts.ReceiveBroadcast(w.Now, p, m)
	case wire.KindFrame:
		d.Broadcasts.ReceiveFrame(w.Now, p, in.Channel, m)
	case wire.KindHave:
		d.Broadcasts.ReceiveHave(w.Now, p, m.Data)
	case wire.KindWant:
		d.Broadcasts.ReceiveWant(w.Now, p, m.Data)
	case wire.KindStripes:
		d.Broadcasts.ReceiveStripes(w.Now, p, m.Data)
	case wire.KindStop:
		d.Broadcasts.ReceiveStop(p, m.Data)
	case wire.KindDirectAck:
		w.perform(d.Directs.ReceiveAck(nil, w.Now, p, m.Data))
	case wire.KindDirect:
		piece, ok := d.Directs.Check(w.Now, in.Channel, m, false)
		if !ok {
			return
		}
		if _, v := d.Directs.Receive(w.Now, p, in.Channel, m.ID, &piece); v.Whole {
			d.Directs.Deliver(w.Now, p, in.Channel, piece.Use, m.ID, v.Data)
		}
	}
}

// perform acts on outcomes of A's direct messages.
func (w *world) perform(out []direct.Outcome) {
	for i := range out {
		if !w.A.Delivery.Directs.Perform(w.Now, &out[i]) {
			w.ended = append(w.ended, &out[i])
		}
	}
}

// run advances virtual time and collects the events.
func (w *world) run(d time.Duration) {
	w.Run(d)
	for _, n := range []*pair.Node{w.A, w.B} {
		w.got[n] = append(w.got[n], n.Events.Take()...)
	}
}

// events returns the events of a kind that a node had.
func (w *world) events(n *pair.Node, kind event.Kind) (list []event.Event) {
	for _, e := range w.got[n] {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

// link begins a link of A with a gwyh 0.1 node.
func (w *world) linkLegacy(i byte) *pair.Legacy {
	l := w.A.AddLegacy(i)
	w.A.Delivery.Link(w.Now, l.Peer)
	w.A.Delivery.Broadcasts.LinkBegan(w.Now, l.Peer)
	return l
}

func TestNodeOfGwyh01GetsABroadcastInItsForm(t *testing.T) {
	w := newWorld(t)
	l := w.linkLegacy(1)
	if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, []byte("hello")); err != nil {
		t.Fatal(err)
	}
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
	if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, make([]byte, delivery.LegacyMax+1)); err != nil {
		t.Fatal(err)
	}
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
	if len(w.ended) != 1 || w.ended[0].Message != m || w.ended[0].Err != nil {
		t.Errorf("%d outcomes, want the end without an error", len(w.ended))
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
	if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, []byte("hello")); err != nil {
		t.Fatal(err)
	}
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
		if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if n := w.A.Lose(); n == 0 {
				t.Fatal("nothing was lost")
			}
		}
		w.run(10 * time.Millisecond)
	}
	w.run(5 * time.Second)
	var texts []string
	for _, e := range w.events(w.B, event.Message) {
		texts = append(texts, string(e.Data))
	}
	slices.Sort(texts)
	if want := []string{"one", "three", "two"}; !slices.Equal(texts, want) {
		t.Errorf("b got %q, want %q", texts, want)
	}
}

func TestNodeHasItsOwnBroadcastsAndThoseThatArrived(t *testing.T) {
	w := newWorld(t)
	w.Link()
	if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, []byte("hello")); err != nil {
		t.Fatal(err)
	}
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
		if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, []byte(data)); err != nil {
			t.Fatal(err)
		}
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
