package exchange

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A world is two nodes that are members of each other, of which each has an application with a state.
type world struct {
	*pair.World
	a, b *node
}

// A node exchanges states as a core does.
type node struct {
	*pair.Node
	*Messenger
	x        *pushpull.Exchanger
	w        *world
	peer     pushpull.Peer // the other node
	outcomes outcome.Buffer[pushpull.Outcome]
	directs  outcome.Buffer[direct.Outcome]

	state  []byte                 // of its application
	merged []string               // states that its application merged
	left   []pushpull.OutcomeKind // other outcomes that Perform left to the caller
}

func newWorld(t *testing.T) *world {
	w := &world{World: pair.New(t)}
	w.a, w.b = w.newNode(w.A), w.newNode(w.B)
	w.a.peer.ID, w.b.peer.ID = w.B.ID, w.A.ID
	for _, n := range []*node{w.a, w.b} {
		n.AddOther()
		n.x.AddPeer(&n.peer)
	}
	return w
}

func (w *world) newNode(p *pair.Node) *node {
	x := pushpull.New(pushpull.Config{Versions: [6]byte{1}, MessageMax: 1 << 20, State: true, Interval: -1}, p.RNG)
	n := &node{Node: p, w: w, x: x, state: []byte("state of " + p.Members.Self().Name),
		Messenger: New(Config{Exchanger: x, Delivery: p.Delivery, IDs: &p.IDs, Events: &p.Events, Report: p.Report})}
	p.Handle = n.handle
	return n
}

// run advances virtual time in small steps, in each of which the applications answer.
func (w *world) run(d time.Duration) {
	const step = 10 * time.Millisecond
	for ; d > 0; d -= step {
		w.Run(step)
		for _, n := range []*node{w.a, w.b} {
			n.answer()
			n.repeat()
			for at := n.x.NextTimeout(); !at.IsZero() && !at.After(w.Now); at = n.x.NextTimeout() {
				n.do(n.x.HandleTimeout(n.outcomes, w.Now, &n.Members))
			}
		}
	}
}

// repeat sends direct messages again that are not acknowledged in time.
func (n *node) repeat() {
	directs := &n.Delivery.Directs
	for m := directs.Sender.Due(n.w.Now); m != nil; m = directs.Sender.Due(n.w.Now) {
		n.doDirect(directs.Sender.HandleTimeout(n.directs, n.w.Now, m, directs.SessionWith(n.w.Now, m)))
	}
}

// answer answers the questions of the node to its application.
func (n *node) answer() {
	for _, e := range n.Events.Take() {
		switch e.Kind {
		case event.StateWanted:
			n.do(n.x.AnswerState(n.outcomes, n.w.Now, &n.Members, e.State, n.state))
		case event.State:
			n.merged = append(n.merged, string(e.Data))
			n.do(n.x.StateMerged(n.outcomes, e.State))
		}
	}
}

func (n *node) do(out []pushpull.Outcome) {
	n.outcomes.Work(out, func(o *pushpull.Outcome) {
		switch {
		case n.Perform(n.w.Now, o):
		case o.Kind == pushpull.Send:
			n.send(o)
		case o.Kind == pushpull.StopSending:
			n.doDirect(n.Delivery.Directs.Sender.Stop(n.directs, n.Delivery.Directs.Sender.Awaited(o.ID)))
		default:
			n.left = append(n.left, o.Kind)
		}
	})
}

func (n *node) send(o *pushpull.Outcome) {
	out, id, ok := n.Send(n.directs, n.w.Now, o)
	if !ok {
		n.do(n.x.NotSent(n.outcomes, n.w.Now, o.Exchange))
		return
	}
	n.doDirect(out)
	n.do(n.x.Sent(n.outcomes, n.w.Now, &n.Members, o.Exchange, id, len(o.Data)))
}

func (n *node) doDirect(out []direct.Outcome) {
	n.directs.Work(out, func(o *direct.Outcome) {
		if n.Delivery.Directs.Perform(n.w.Now, o) {
			return
		}
		if e := ExchangeOf(o.Message); e != nil {
			n.do(n.x.SendEnded(n.outcomes, e, o.Message.ID, o.Err))
		}
	})
}

func (n *node) handle(in pair.Arrival, m *wire.Message) {
	now, directs := n.w.Now, &n.Delivery.Directs
	switch m.Kind {
	case wire.KindDirectAck:
		n.doDirect(directs.ReceiveAck(n.directs, now, n.Peer, m.Data))
	case wire.KindStateRefused:
		n.do(n.x.HandleRefused(n.outcomes, now, &n.peer, m.Data))
	case wire.KindDirect:
		n.handleDirect(in, m)
	}
}

func (n *node) handleDirect(in pair.Arrival, m *wire.Message) {
	now, directs := n.w.Now, &n.Delivery.Directs
	piece, ok := directs.Check(now, in.Channel, m, false)
	if !ok {
		return
	}
	out, ok := n.x.Expect(n.outcomes, now, &n.Members, &n.peer, m.ID, piece)
	if n.do(out); !ok {
		return
	}
	a, v := directs.Receive(now, n.Peer, in.Channel, m.ID, &piece)
	if a != nil {
		n.x.Receives(&n.peer, a)
	}
	if v.Whole && directs.Deliver(now, n.Peer, in.Channel, piece.Use, m.ID, v.Data) {
		n.do(n.x.HandleMessage(n.outcomes, now, &n.Members, &n.peer, piece.Use, m.ID, v.Data))
	}
}

// begin begins a push/pull with the other node.
func (n *node) begin() { n.do(n.x.PushPull(n.outcomes, n.w.Now, &n.peer, false)) }

func (n *node) wantMerged(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(n.merged, want) {
		t.Errorf("node %v merged %.40q, want %.40q", n.Path.Remote, n.merged, want)
	}
}
