package broadcast

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// world is one Disseminator with neighbors, at a time that a test moves.
type world struct {
	t    *testing.T
	d    *Disseminator
	now  time.Time
	near []*Neighbor
	sent []Outcome // since the last take
	next map[*Neighbor]time.Time
}

const testRTT = 10 * time.Millisecond

// newWorld returns a Disseminator with links to so many neighbors, each a round trip of 10 ms away.
func newWorld(t *testing.T, neighbors int) *world {
	t.Helper()
	w := &world{t: t, d: New(), now: time.Unix(1_000_000, 0), next: map[*Neighbor]time.Time{}}
	for range neighbors {
		w.link()
	}
	return w
}

func (w *world) link() *Neighbor {
	n := &Neighbor{}
	w.near = append(w.near, n)
	w.d.LinkUp(n, wire.NodeID{byte(len(w.near))}, testRTT)
	return n
}

// do takes in the outcomes of one input. It makes copies of what is valid until the next input only.
func (w *world) do(out []Outcome) {
	w.t.Helper()
	for _, o := range out {
		if o.Want != nil {
			o.Want = copyOf(*o.Want)
		}
		if o.Have.Len() > 0 {
			var have wire.Have
			for i := range o.Have.Len() {
				id, total := o.Have.At(i)
				have.Add(&id, total)
			}
			o.Have = have
		}
		if o.Kind == WakeAt {
			w.wake(o.To, o.At)
			continue
		}
		w.sent = append(w.sent, o)
	}
}

func copyOf(want wire.Want) *wire.Want {
	var c wire.Want
	for i := range want.Len() {
		id, from, until := want.At(i)
		c.Add(&id, from, until)
	}
	return &c
}

func (w *world) wake(n *Neighbor, at time.Time) {
	if old, ok := w.next[n]; !ok || at.Before(old) {
		w.next[n] = at
	}
}

// run lets time pass, and calls Tick when it is due.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for {
		var due *Neighbor
		for _, n := range w.near {
			at, ok := w.next[n]
			if ok && !at.After(end) && (due == nil || at.Before(w.next[due])) {
				due = n
			}
		}
		if due == nil {
			w.now = end
			return
		}
		if at := w.next[due]; at.After(w.now) {
			w.now = at
		}
		w.tick(due, 1400)
	}
}

func (w *world) tick(n *Neighbor, room int) {
	w.t.Helper()
	delete(w.next, n)
	out, next := w.d.Tick(nil, w.now, n, room)
	w.do(out)
	if next.IsZero() {
		return
	}
	if !next.After(w.now) {
		next = w.now.Add(time.Millisecond) // as the core's timers do
	}
	w.wake(n, next)
}

// take returns what was sent since the last call.
func (w *world) take() []Outcome {
	sent := w.sent
	w.sent = nil
	return sent
}

// count returns how many outcomes of a kind are among those of the last call of take.
func count(out []Outcome, kind OutcomeKind, to *Neighbor) (n int) {
	for _, o := range out {
		if o.Kind == kind && (to == nil || o.To == to) {
			n++
		}
	}
	return n
}

// only returns the outcomes of one kind.
func only(out []Outcome, kind OutcomeKind) (of []Outcome) {
	for _, o := range out {
		if o.Kind == kind {
			of = append(of, o)
		}
	}
	return of
}

// id is the id of the i-th message of an origin.
func id(i int) wire.MessageID {
	id := wire.MessageID{7, 6: 0x80}
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return id
}

// announces has n announce messages of total bytes.
func (w *world) announces(n *Neighbor, total uint32, ids ...wire.MessageID) {
	w.t.Helper()
	var have wire.Have
	for i := range ids {
		have.Add(&ids[i], total)
	}
	w.do(w.d.HandleAnnouncements(nil, w.now, n, body(w.t, wire.AppendHave(nil, wire.MessageID{}, &have))))
}

// requests has n request a range of a message so many times.
func (w *world) requests(n *Neighbor, id wire.MessageID, from, until uint32, times int) []Outcome {
	w.t.Helper()
	var want wire.Want
	for range times {
		want.Add(&id, from, until)
	}
	w.do(w.d.HandleRequests(nil, n, body(w.t, wire.AppendWant(nil, wire.MessageID{}, &want))))
	return w.take()
}

// body is the body of a message.
func body(t *testing.T, plain []byte) []byte {
	t.Helper()
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		t.Fatal(err)
	}
	return m.Data
}

// first has the first copy of a small message come from n.
func (w *world) first(n *Neighbor, id wire.MessageID) {
	w.t.Helper()
	if !w.d.Seen.First(w.now, &id, nil) {
		w.t.Fatalf("%v is not new", id)
	}
	w.do(w.d.First(nil, w.now, n, &id))
}

// begin has a large message begin to come, of which nothing is here.
func (w *world) begin(id wire.MessageID, total uint32) (*Large, *rangeset.Set) {
	pieces := &rangeset.Set{}
	return w.d.Begin(id, total, pieces), pieces
}

// piece has n send a piece of a message that was not here.
func (w *world) piece(n *Neighbor, l *Large, pieces *rangeset.Set, from, until uint32) {
	w.t.Helper()
	w.d.Piece(w.now, n, l)
	if !pieces.Add(from, until) {
		w.t.Fatalf("[%d, %d) was here", from, until)
	}
	l.NewPiece(w.now)
}

// parents are the places of the neighbors that are parents.
func (w *world) parents() (places []int) {
	for i, n := range w.near {
		if n.Parent {
			places = append(places, i)
		}
	}
	return places
}

// lone makes the given neighbors the only parents, as if the others had been pruned long ago.
func (w *world) lone(parents ...int) {
	for _, n := range w.near {
		n.Parent = false
	}
	for _, i := range parents {
		w.near[i].Parent = true
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
