package antientropy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var start = time.UnixMilli(1_700_000_000_000)

const room = 1200 // maximum size of a message in bytes

// perMessage is how many entries one message of these tests contains.
const perMessage = 10

func id(i int) wire.NodeID {
	return wire.NodeID{6: 0x80, 8: 0x80, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
}

func member(i int) members.Member {
	return members.Member{ID: id(i), Name: fmt.Sprint("node-", i), Incarnation: uint64(start.UnixMilli()), Named: uint64(start.UnixMilli()),
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 6969)}
}

// A node is one end of a comparison: its table, and its state of the other end.
type node struct {
	testing.TB
	members.Table
	Comparer
	Peer
	world *world
	other *node
	self  int
	keeps func(i wire.NodeID) bool // reports whether to refuse a member
	out   []Outcome
	wake  time.Time // when Tick is due
	ended int       // number of comparisons that have ended
}

// sent counts what was sent in both directions.
type sent struct{ buckets, wants, roots, messages, entries int }

// world is two nodes that compare their tables over a network that loses some messages.
type world struct {
	a, b   *node
	now    time.Time
	loss   float64
	rng    *rand.Rand
	sent   sent
	flight []func()
}

// newWorld returns two nodes that know the members of the two lists.
func newWorld(t testing.TB, a, b []int) *world {
	w := &world{now: start, rng: rand.New(rand.NewPCG(1, 1))}
	w.a, w.b = w.node(t, 1_000_000, a), w.node(t, 1_000_001, b)
	w.a.other, w.b.other = w.b, w.a
	return w
}

func (w *world) node(t testing.TB, self int, known []int) *node {
	n := &node{TB: t, world: w, self: self, Comparer: New(rand.New(rand.NewPCG(uint64(self), 2))),
		Table: members.NewTable(start, members.Config{Self: member(self), MetaMax: 512})}
	for _, i := range known {
		n.learn(i)
	}
	n.NoteChange(start.Add(-time.Hour))
	return n
}

func (n *node) learn(i int) {
	m := member(i)
	n.take(&wire.Member{ID: m.ID, Name: []byte(m.Name), Addr: m.Addr, Incarnation: m.Incarnation, Named: m.Named})
}

// take adds an entry to the table.
func (n *node) take(e *wire.Member) {
	if n.keeps != nil && n.keeps(e.ID) {
		return
	}
	if _, v := n.Weigh(n.world.now, e, true); v == members.Alive {
		n.SetAlive(n.world.now, e, n.Claim(n.world.now, e, nil))
		n.NoteChange(n.world.now)
	}
}

// seq returns the numbers from from up to, but not including, to.
func seq(from, to int) (s []int) {
	for i := from; i < to; i++ {
		s = append(s, i)
	}
	return s
}

func (n *node) theirRoot() wire.SyncRoot {
	return wire.SyncRoot{Root: n.other.Root(0), Count: uint32(n.other.Count())}
}

// begin begins a comparison with the other node.
func (n *node) begin() {
	n.act(n.Begin(n.out[:0], n.world.now, &n.Peer, &n.Table, room))
}

// heartbeat gives n the root of the other node.
func (n *node) heartbeat() {
	n.root(n.theirRoot())
}

func (n *node) root(r wire.SyncRoot) {
	out, ended := n.HandleRoot(n.out[:0], n.world.now, &n.Peer, &n.Table, r, room)
	if ended {
		n.ended++
	}
	n.act(out)
}

// act sends the messages that a comparison asks to send.
func (n *node) act(out []Outcome) {
	w, o := n.world, n.other
	for _, x := range out {
		switch x.Kind {
		case SendBuckets:
			w.sent.buckets++
			w.send(func() {
				out, err := o.HandleBuckets(o.out[:0], w.now, &o.Peer, &o.Table, encode(x.Buckets), room)
				o.must(err)
				o.act(out)
			})
		case SendWant:
			w.sent.wants++
			data := body(wire.AppendSyncWant(nil, wire.MessageID{}, x.Want))
			w.send(func() {
				out, err := o.HandleWant(o.out[:0], w.now, &o.Peer, &o.Table, data, room)
				o.must(err)
				o.act(out)
			})
		case SendRoot:
			w.sent.roots++
			root := o.theirRoot()
			w.send(func() { o.root(root) })
		case SendSelf:
			w.send(func() { o.learn(n.self) })
		case SendEntries:
			n.sendEntries(x.Entries, x.Max)
		case Wait:
			n.wake = x.At
		}
	}
}

func (n *node) sendEntries(list []*members.Entry, most int) {
	messages := 0
	for len(list) > 0 && messages < most {
		batch := list[:min(perMessage, len(list))]
		list = list[len(batch):]
		messages++
		n.world.sent.messages++
		n.world.sent.entries += len(batch)
		for _, m := range batch {
			var e wire.Member
			m.Fill(&e)
			n.world.send(func() { n.other.take(&e) })
		}
	}
	n.Sent(messages)
}

func (n *node) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

func (w *world) send(arrive func()) {
	if w.rng.Float64() >= w.loss {
		w.flight = append(w.flight, arrive)
	}
}

// settle delivers all messages in flight, one per millisecond.
func (w *world) settle() {
	for len(w.flight) > 0 {
		arrive := w.flight[0]
		w.flight = w.flight[1:]
		w.now = w.now.Add(time.Millisecond)
		arrive()
	}
}

// run calls Tick when it is due, for a time of d.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	w.settle()
	for {
		next, n := time.Time{}, w.a
		for _, o := range []*node{w.a, w.b} {
			if at := o.NextTimeout(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next, n = at, o
			}
		}
		if next.IsZero() || next.After(end) {
			w.now = end
			return
		}
		w.now = maxTime(w.now, next)
		n.tick(false)
		w.settle()
	}
}

func (n *node) tick(joining bool) {
	out, ended := n.Tick(n.out[:0], n.world.now, &n.Peer, &n.Table, room, joining)
	if ended {
		n.ended++
	}
	n.act(out)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *world) equal() bool { return w.a.Root(0) == w.b.Root(0) }

func encode(s wire.SyncBuckets) []byte {
	return body(wire.AppendSyncBuckets(nil, wire.MessageID{}, s))
}

// body returns the data of an encoded message.
func body(b []byte) []byte {
	var m wire.Message
	if _, err := wire.ParseMessage(&m, b); err != nil {
		panic(err)
	}
	return m.Data
}
