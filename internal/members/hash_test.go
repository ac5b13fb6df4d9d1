package members

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestBucketsAreLeadingBitsOfTheHash(t *testing.T) {
	for i := range 200 {
		id := goID(i)
		if Bucket(id, 0) != 0 {
			t.Fatalf("bucket %d of one", Bucket(id, 0))
		}
		for bits := uint8(1); bits <= 14; bits++ {
			if b := Bucket(id, bits); b>>1 != Bucket(id, bits-1) || b >= 1<<bits {
				t.Errorf("%v: bucket %d of %d bits, %d of one less", id, b, bits, Bucket(id, bits-1))
			}
		}
	}
}

func TestBucketsFillEvenly(t *testing.T) {
	const bits, members = 6, 64 * 64
	var counts [1 << bits]int
	for i := range members {
		counts[Bucket(goID(i), bits)]++
	}
	for b, n := range counts {
		if n < 30 || n > 110 {
			t.Errorf("bucket %d has %d members, 64 on average", b, n)
		}
	}
}

func TestBucketHashesDifferWhereTheTablesDo(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	for i := 1; i < 100; i++ {
		a.take(alive(i))
		if i != 42 {
			b.take(alive(i))
		}
	}
	b.take(with(alive(17), func(e *wire.Member) { e.Incarnation = at(time.Second) }))
	for bits := range uint8(8) {
		ours, theirs := a.BucketHashes(bits, 0, 1<<bits), b.BucketHashes(bits, 0, 1<<bits)
		root := uint64(0)
		for i := range ours {
			root ^= ours[i]
			n := uint32(i)
			if want := n == Bucket(goID(42), bits) || n == Bucket(goID(17), bits); (ours[i] != theirs[i]) != want {
				t.Errorf("%d bits, bucket %d: %x and %x", bits, i, ours[i], theirs[i])
			}
		}
		if root != a.Root() {
			t.Errorf("%d bits: the hashes make a root of %x, want %x", bits, root, a.Root())
		}
	}
}

// These values are part of the protocol, because nodes of two versions compare them (PROTOCOL.md Y1).
func TestHashesAreFixed(t *testing.T) {
	id := wire.NodeID{0, 1, 2, 3, 4, 5, 0x86, 7, 0x88, 9, 10, 11, 12, 13, 14, 15}
	if got := Hash(id); got != 0x682bf23c7fc410ea {
		t.Errorf("hash %#x", got)
	}
	w := newWorld(t)
	w.take(with(alive(1), func(e *wire.Member) {
		e.ZoneName, e.HasZone, e.Versions, e.Meta, e.Refuted = []byte("eu"), true, [6]byte{1, 5, 2, 0, 3, 1}, []byte("meta"), at(-time.Second)
	}))
	if got := w.Get(goID(1)).Digest(); got != 0x33a27c76467437ec {
		t.Errorf("digest %#x", got)
	}
}

// Two nodes detect every difference between their entries of a member (PROTOCOL.md Y1).
func TestDigestCoversAllThatAnEntrySays(t *testing.T) {
	changes := map[string]func(e *wire.Member){
		"incarnation": func(e *wire.Member) { e.Incarnation++ },
		"name":        func(e *wire.Member) { e.Name = []byte("other") },
		"address":     func(e *wire.Member) { e.Addr = addr(77) },
		"port":        func(e *wire.Member) { e.Addr = netip.AddrPortFrom(e.Addr.Addr(), 1) },
		"zone":        func(e *wire.Member) { e.ZoneName, e.HasZone = nil, true },
		"versions":    func(e *wire.Member) { e.Versions[5]++ },
		"metadata":    func(e *wire.Member) { e.Meta = []byte{0} },
		"named":       func(e *wire.Member) { e.Named-- },
		"refuted":     func(e *wire.Member) { e.Refuted++ },
	}
	digests := map[uint64]string{newWorld(t, 1).Get(goID(1)).Digest(): "nothing"}
	for what, change := range changes {
		w := newWorld(t)
		w.take(with(alive(1), change))
		d := w.Get(goID(1)).Digest()
		if same, ok := digests[d]; ok {
			t.Errorf("a change of %s has the digest of one of %s", what, same)
		}
		digests[d] = what
	}
}

// All nodes choose the same of two different entries of one incarnation (PROTOCOL.md M2).
func TestOfTwoEntriesOfOneIncarnationAllNodesTakeTheSame(t *testing.T) {
	one := with(alive(1), func(e *wire.Member) { e.Meta = []byte("one") })
	two := with(alive(1), func(e *wire.Member) { e.Meta = []byte("two") })
	for _, order := range [][]*wire.Member{{one, two, one}, {two, one, two}} {
		w := newWorld(t)
		for _, e := range order {
			w.take(e)
		}
		if got := string(w.Get(goID(1)).Meta); got != "two" {
			t.Errorf("the table has %q", got)
		}
	}
}

func TestEntryNamesItself(t *testing.T) {
	m := NewEntry(goID(1))
	m.Name, m.Addr = "db-1", addr(1)
	if got := m.String(); got != `"db-1" (10.0.0.1:6969)` {
		t.Error(got)
	}
	same(t, "live", m.Live(), false)
	same(t, "legacy", m.Legacy(), false)
	same(t, "legacy by an id of version 4", NewEntry(wire.NodeID{6: 0x40}).Legacy(), true)
}
