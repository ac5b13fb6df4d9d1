package entries

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A world is two nodes that have a session with each other.
type world struct {
	*pair.World
	a, b *node
}

// A node drives an Entries as a core does, and keeps what arrives.
type node struct {
	*pair.Node
	*Entries
	w *world

	got     []wire.Member // entries that arrived, without their bytes
	ended   bool          // a comparison has ended
	refuses bool          // it applies no entry that arrives
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: pair.New(t)}
	w.a, w.b = w.newNode(w.A), w.newNode(w.B)
	return w
}

func (w *world) newNode(p *pair.Node) *node {
	n := &node{Node: p, w: w, Entries: New(Config{Delivery: p.Delivery, Members: &p.Members, Detector: p.Detector, Comparer: antientropy.New(p.RNG),
		IDs: &p.IDs, Timers: &p.Timers, Events: &p.Events, Report: p.Report, Stats: &p.Stats})}
	p.Handle, p.Tick = n.handle, n.tick
	return n
}

// tick continues a comparison with the other node.
func (n *node) tick(now time.Time) time.Time {
	if timer.Due(n.Peer.Sync.NextTimeout(), now) {
		n.ended = n.Entries.Tick(now, n.Peer, false) || n.ended
	}
	return n.Peer.Sync.NextTimeout()
}

func (n *node) handle(_ pair.Arrival, m *wire.Message) {
	now, p := n.w.Now, n.Peer
	switch m.Kind {
	case wire.KindMembers, wire.KindSyncMembers:
		n.apply(m.Data)
	case wire.KindSyncRoot:
		root, err := wire.ParseSyncRoot(m.Data)
		if err != nil {
			n.w.T.Fatal(err)
		}
		n.ended = n.ReceiveRoot(now, p, root) || n.ended
	case wire.KindSyncBuckets:
		n.ReceiveBuckets(now, p, m.Data)
	case wire.KindSyncWant:
		n.ReceiveWant(now, p, m.Data)
	}
}

// apply adds the live members of a message to the table.
func (n *node) apply(data []byte) {
	it := wire.IterMembers(data)
	for e := (wire.Member{}); it.Next(&e); {
		n.got = append(n.got, wire.Member{State: e.State, ID: e.ID, Incarnation: e.Incarnation, From: e.From})
		if e.State == wire.StateAlive && e.ID != n.ID && !n.refuses {
			n.Add(&e)
		}
	}
	if it.Err() != nil {
		n.w.T.Fatal(it.Err())
	}
}
