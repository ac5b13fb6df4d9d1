package delivery_test

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A world is two nodes that hand what arrives to their Delivery as a core does.
type world struct {
	*pair.World
	got   map[*pair.Node][]event.Event // events for the application
	ended []*direct.Outcome            // direct messages of A that ended, or that need a handshake
	acks  []string                     // payloads of answers to Pings of A
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
		if _, v := d.Directs.Receive(w.Now, p, in.Channel, m.ID, &piece); v.Whole && d.Directs.Deliver(w.Now, p, in.Channel, piece.Use, m.ID, v.Data) {
			n.HandlePlain(in, v.Data)
		}
	case wire.KindPing, wire.KindAck:
		w.ping(n, in, m)
	}
}

func (w *world) ping(n *pair.Node, in pair.Arrival, m *wire.Message) {
	ping, err := wire.ParsePing(m.Data)
	switch {
	case err != nil:
		w.T.Fatal(err)
	case m.Kind == wire.KindPing:
		n.Delivery.Pings.Answer(w.Now, in.Channel, n.Peer.Sessions.Path(), ping.Seq)
	case len(ping.Payload) > 0:
		w.acks = append(w.acks, string(ping.Payload))
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

// delivered returns the messages that the application of a node got.
func (w *world) delivered(n *pair.Node) (texts []string) {
	for _, e := range w.events(n, event.Message) {
		texts = append(texts, string(e.Data))
	}
	return texts
}

// broadcast makes a broadcast of A.
func (w *world) broadcast(msg string) {
	w.T.Helper()
	if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, []byte(msg)); err != nil {
		w.T.Fatal(err)
	}
}

// linkLegacy begins a link of A with a gwyh 0.1 node.
func (w *world) linkLegacy(i byte) *pair.Legacy {
	l := w.A.AddLegacy(i)
	w.A.Delivery.Link(w.Now, l.Peer)
	w.A.Delivery.Broadcasts.LinkBegan(w.Now, l.Peer)
	return l
}
