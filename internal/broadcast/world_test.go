package broadcast

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// world is one Disseminator with neighbors and a virtual clock.
type world struct {
	t    *testing.T
	d    *Disseminator
	now  time.Time
	near []*Neighbor
	sent []Outcome // since the last take
}

const (
	testRTT    = 10 * time.Millisecond
	testOrigin = 0x8009
	testSelf   = 0x8001
)

// newWorld returns a Disseminator with the given number of links, each with a round trip of 10 ms.
func newWorld(t *testing.T, neighbors int) *world {
	t.Helper()
	w := &world{t: t, d: New(Config{Self: testSelf, HeartbeatGap: time.Second}), now: time.Unix(1_000_000, 0)}
	for range neighbors {
		w.link()
	}
	return w
}

func (w *world) link() *Neighbor {
	n := &Neighbor{}
	w.near = append(w.near, n)
	w.d.LinkUp(n, wire.NodeID{byte(len(w.near))}, testRTT, false)
	return n
}

// id returns the id of a message of the test's origin.
func id(counter uint64) wire.MessageID { return wire.BroadcastID(testOrigin, counter) }

// run advances virtual time and calls Tick when it is due.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); ; {
		next := w.d.Next()
		if next.IsZero() || next.After(end) {
			w.now = end
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		w.do(w.d.Tick(nil, w.now))
		if at := w.d.Next(); !at.IsZero() && !at.After(w.now) {
			w.t.Fatalf("Tick is needed again at once, %v ago", w.now.Sub(at))
		}
	}
}

func (w *world) do(out []Outcome) { w.sent = append(w.sent, out...) }

// take returns the outcomes since the last call.
func (w *world) take() []Outcome {
	sent := w.sent
	w.sent = nil
	return sent
}

// kinds returns the kinds of the outcomes for n since the last take, without taking them.
func (w *world) kinds(n *Neighbor) (kinds []OutcomeKind) {
	for _, o := range w.sent {
		if o.To == n {
			kinds = append(kinds, o.Kind)
		}
	}
	return kinds
}

// count returns the number of outcomes of a kind since the last take.
func (w *world) count(k OutcomeKind) (count int) {
	for _, o := range w.sent {
		if o.Kind == k {
			count++
		}
	}
	return count
}

// copies lets copies of one message arrive from the given neighbors at intervals of each, and a heartbeat follow, with
// which the parents are chosen.
func (w *world) copies(counter uint64, each time.Duration, from ...*Neighbor) {
	w.t.Helper()
	m := id(counter)
	for i, n := range from {
		if i > 0 {
			w.run(each)
		}
		if w.d.Seen.First(w.now, &m, &n.Source) {
			w.d.First(w.now, n, &m, 0)
		} else {
			w.d.Duplicate(w.now, n, &m, 0)
		}
	}
	w.run(200 * time.Millisecond)
	w.beat()
}

// beat sends heartbeats to all neighbors. What they carry themselves is not recorded.
func (w *world) beat() {
	for _, n := range w.near {
		if n.Linked() {
			out, _ := w.d.Heartbeat(nil, w.now, n)
			w.do(out)
		}
	}
}

// parents returns the indices of the parents of the test's origin.
func (w *world) parents() (places []int) {
	for i, n := range w.near {
		if w.d.IsParent(testOrigin, n) {
			places = append(places, i)
		}
	}
	return places
}

// body returns the body of an encoded message.
func body(t *testing.T, plain []byte) []byte {
	t.Helper()
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		t.Fatal(err)
	}
	return m.Data
}

// digest lets a digest arrive from n.
func (w *world) digest(n *Neighbor, g digest.Digest) {
	w.t.Helper()
	var have digest.List
	have.Add(&g)
	w.d.HandleAnnouncements(w.now, n, body(w.t, wire.AppendList(nil, wire.KindHave, wire.MessageID{}, have.Bytes())))
}

// steered makes n send a Prune or Graft for an origin.
func (w *world) steered(n *Neighbor, origin uint64, prune, soon bool) {
	w.t.Helper()
	var s wire.Steer
	s.Add(origin, soon)
	if prune {
		w.d.HandleSteer(n, body(w.t, wire.AppendList(nil, wire.KindPrune, wire.MessageID{}, s.Bytes())), true)
	} else {
		w.d.HandleSteer(n, body(w.t, wire.AppendList(nil, wire.KindGraft, wire.MessageID{}, s.Bytes())), false)
	}
}

// requested takes the outcomes and returns the ids of the messages requested from n.
func (w *world) requested(n *Neighbor) (ids []wire.MessageID) {
	for _, o := range w.take() {
		if o.Kind == SendRequest && o.To == n {
			for i := range o.Want.Len() {
				id, _, _ := o.Want.At(i)
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// begun adds a large message of which nothing has arrived yet.
func (w *world) begun(id wire.MessageID, total uint32) (*Large, *rangeset.Set) {
	var pieces rangeset.Set
	return w.d.Begin(w.now, id, total, &pieces), &pieces
}

// digestsTo takes the outcomes and returns the digests sent to n.
func (w *world) digestsTo(n *Neighbor) (list []digest.Digest) {
	for _, o := range w.take() {
		if o.Kind == SendDigest && o.To == n {
			list = append(list, digestsIn(o.Have)...)
		}
	}
	return list
}

func digestsIn(h *digest.List) (list []digest.Digest) {
	if h == nil {
		return nil
	}
	rest := *h
	for rest.Size() > 0 {
		var g digest.Digest
		if !rest.Next(&g) {
			panic("a digest that does not parse")
		}
		g.Holes = slices.Clone(g.Holes)
		list = append(list, g)
	}
	return list
}
