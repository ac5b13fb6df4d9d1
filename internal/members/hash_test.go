package members

import (
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

// These values are part of the protocol: nodes of two versions compare them.
func TestHashesAreFixed(t *testing.T) {
	id := wire.NodeID{0, 1, 2, 3, 4, 5, 0x86, 7, 0x88, 9, 10, 11, 12, 13, 14, 15}
	if got := Hash(id); got != 0x682bf23c7fc410ea {
		t.Errorf("hash %#x", got)
	}
	m := NewEntry(id)
	m.Incarnation = 1_700_000_000_000
	if got := m.Digest(); got != 0xe7fb47a555922d05 {
		t.Errorf("digest %#x", got)
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
