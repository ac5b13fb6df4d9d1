package members

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// start is the time at which the tests create their tables.
var start = time.UnixMilli(1_700_000_000_000)

// at returns the incarnation of a node that started so long after start.
func at(after time.Duration) uint64 { return uint64(start.Add(after).UnixMilli()) }

// goID returns the id of the i-th Go node.
func goID(i int) wire.NodeID { return wire.NodeID{6: 0x80, 8: 0x80, 14: byte(i >> 8), 15: byte(i)} }

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 6969)
}

// alive returns the alive entry of node i, which started at start.
func alive(i int) *wire.Member {
	return &wire.Member{ID: goID(i), State: wire.StateAlive, Incarnation: at(0), Named: at(0), Name: []byte(fmt.Sprint("node-", i)), Addr: addr(i)}
}

// with returns e after a change.
func with(e *wire.Member, change func(e *wire.Member)) *wire.Member {
	change(e)
	return e
}

// gone returns an entry that says that node i is dead or has left.
func gone(i int, s wire.State, incarnation uint64) *wire.Member {
	return &wire.Member{ID: goID(i), State: s, Incarnation: incarnation, From: goID(99)}
}

// same fails the test unless two values are equal.
func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

// counts is the number of entries of each kind in a table.
type counts struct{ live, legacy, tombstones, reserved int }

func (w *world) counts() counts {
	return counts{w.Count(), w.CountLegacy(), w.CountTombstones(), w.CountReserved()}
}

// A world is the table of node 0 and a clock.
type world struct {
	t testing.TB
	*Table
	now time.Time
}

func newWorld(t testing.TB, nodes ...int) *world {
	t.Helper()
	table := NewTable(start, Config{Self: memberFor(0), NameHold: time.Minute, MetaMax: 512, Rand: rand.New(rand.NewPCG(1, 2))})
	w := &world{t: t, Table: &table, now: start}
	for _, i := range nodes {
		if c := w.take(alive(i)); c.Kind != Joined {
			t.Fatalf("node %d: %+v", i, c)
		}
	}
	return w
}

// memberFor returns the Member of node i when it starts.
func memberFor(i int) Member {
	return Member{ID: goID(i), Name: fmt.Sprint("node-", i), Addr: addr(i), Incarnation: at(0), Named: at(0)}
}

// take applies an entry as a core does that accepts all entries, and whose failure detector confirms all unproven claims and
// all restarts.
func (w *world) take(e *wire.Member) (c Change) {
	w.t.Helper()
	switch _, v := w.Weigh(w.now, e, false); v {
	case Alive:
		if claim := w.replace(e); claim.Granted {
			c = w.SetAlive(w.now, e, claim)
		}
	case Gone, Unproven:
		c = w.SetGone(w.now, e)
	}
	w.check()
	return c
}

func (w *world) sleep(d time.Duration) { w.now = w.now.Add(d) }

// check fails the test unless the indexes of the table agree with its entries.
func (w *world) check() {
	w.t.Helper()
	root, legacy, live := sum{}, 0, 0
	for m := range w.Each {
		live++
		n := number(&m.digest)
		root.add(&n)
		if m.Legacy() {
			legacy++
		}
		if !m.Live() || m.State > wire.StateSuspect {
			w.t.Fatalf("%v is among the live members as %v", m, m.State)
		}
		if got := w.Get(m.ID); got == nil || got.ID != m.ID {
			w.t.Fatalf("the id of %v leads to %v", m, got)
		}
		if got := w.Named(m.Name); got == nil || got.ID != m.ID {
			w.t.Fatalf("the name of %v leads to %v", m, got)
		}
		if w.Reserved(m.Name) != nil {
			w.t.Fatalf("the name of %v, which lives, is reserved", m)
		}
	}
	same(w.t, "root", w.root, root)
	bytes := 0
	var states [wire.States]int
	for m := range w.All {
		bytes += m.bytes()
		states[m.State]++
	}
	same(w.t, "bytes", w.Bytes(), bytes)
	same(w.t, "entries by state", w.CountStates(), states)
	same(w.t, "members", w.Count(), live)
	for _, bits := range []uint8{0, 2, 7} {
		w.checkBuckets(bits)
	}
	same(w.t, "legacy members", w.CountLegacy(), legacy)
	for m := range w.eachReserved {
		same(w.t, "the node that a name is reserved for", w.Get(m.ID), m)
		same(w.t, "its state", m.State, wire.StateDead)
		if m.Live() || m.Legacy() {
			w.t.Fatalf("the name of %v is reserved, which lives or is a gwyh 0.1 node", m)
		}
	}
	if w.CountTombstones() > TombstonesMax {
		w.t.Fatalf("%d tombstones", w.CountTombstones())
	}
}

// checkBuckets fails the test unless InBuckets and BucketHashes agree with a walk over all members, for the even and
// for the odd ones of 2^bits buckets.
func (w *world) checkBuckets(bits uint8) {
	w.t.Helper()
	sums, hashes := make([]sum, 1<<bits), make([]uint64, 1<<bits)
	members := map[*Entry]bool{}
	for m := range w.Each {
		n := number(&m.digest)
		sums[Bucket(m.ID, bits)].add(&n)
		members[m] = true
	}
	for i := range sums {
		hashes[i] = sums[i].hash(7)
	}
	got := w.BucketHashes(7, bits, 0, 1<<bits)
	if most := uint32(1) << bits; most > 1 {
		got = append(w.BucketHashes(7, bits, 0, 1), w.BucketHashes(7, bits, 1, most-1)...)
	}
	if !slices.Equal(got, hashes) {
		w.t.Fatalf("%d bits: hashes %x, want %x", bits, got, hashes)
	}
	for odd := range uint32(2) {
		var which []uint32
		for b := odd; b < 1<<bits; b += 2 {
			which = append(which, b)
		}
		for m := range w.InBuckets(bits, which) {
			if !members[m] || Bucket(m.ID, bits)&1 != odd && bits > 0 {
				w.t.Fatalf("%d bits: %v is no member, or found twice, or in bucket %d", bits, m, Bucket(m.ID, bits))
			}
			delete(members, m)
		}
	}
	if len(members) != 0 {
		w.t.Fatalf("%d bits: %d members are in no bucket", bits, len(members))
	}
}

// want fails the test unless node i has the given state in the table.
func (w *world) want(i int, s wire.State) {
	w.t.Helper()
	m := w.Get(goID(i))
	if m == nil || m.State != s {
		w.t.Fatalf("node %d is %+v, want %v", i, m, s)
	}
	same(w.t, "live", m.Live(), s <= wire.StateSuspect)
}
