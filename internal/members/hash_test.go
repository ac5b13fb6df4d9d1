package members

import (
	"encoding/binary"
	"fmt"
	"math/bits"
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
		ours, theirs := a.BucketHashes(0, bits, 0, 1<<bits), b.BucketHashes(0, bits, 0, 1<<bits)
		for i := range ours {
			n := uint32(i)
			if want := n == Bucket(goID(42), bits) || n == Bucket(goID(17), bits); (ours[i] != theirs[i]) != want {
				t.Errorf("%d bits, bucket %d: %x and %x", bits, i, ours[i], theirs[i])
			}
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
	if got := w.Get(goID(1)).Digest(); fmt.Sprintf("%x", got[:8]) != "33a27c76467437ec" {
		t.Errorf("digest %x", got)
	}
	if got := [2]uint64{w.Root(0), w.Root(1)}; got != [2]uint64{0xa405da4be38ee244, 0x952db5c3a69e8953} {
		t.Errorf("roots %#x", got)
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
	digests := map[[16]byte]string{newWorld(t, 1).Get(goID(1)).Digest(): "nothing"}
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

// The hash of a set of entries does not depend on their order, and is another one under another salt.
func TestSumIsThatOfTheEntriesThatAreInIt(t *testing.T) {
	var numbers [100]sum
	for i := range numbers {
		numbers[i] = number(&[16]byte{byte(i), 1: 255})
	}
	var a, b sum
	for i := range numbers {
		a.add(&numbers[i])
		b.add(&numbers[len(numbers)-1-i])
	}
	same(t, "sum in another order", b, a)
	if a.hash(1) == a.hash(2) {
		t.Error("the salt does not matter")
	}
	twice := a
	twice.add(&numbers[0])
	twice.add(&numbers[0])
	if twice == a {
		t.Error("an entry that is added twice cancels out")
	}
	for i := range numbers {
		a.remove(&numbers[i])
	}
	same(t, "sum of nothing", a, sum{})
	same(t, "its hash", a.hash(3), 0)
	full := sum{}
	for i := range full {
		full[i] = 1<<64 - 1
	}
	one := sum{1}
	full.add(&one)
	same(t, "2^1024", full, sum{})
}

// An insider chooses what its entries say. Of 65 entries with any digests of 64 bits, some have the XOR zero: whoever has
// them in addition would seem to have the same table.
func TestEntriesWhoseDigestsCancelUnderXORChangeTheRoot(t *testing.T) {
	w := newWorld(t)
	type row struct {
		xor uint64
		of  map[int]bool
	}
	basis := map[int]row{} // by the highest bit
	var cancel map[int]bool
	for i := 1; cancel == nil; i++ {
		m := NewEntry(goID(i))
		m.Name, m.Addr, m.Incarnation = fmt.Sprint("invented-", i), addr(i), at(0)
		digest := w.sealer.digest(m)
		r := row{binary.BigEndian.Uint64(digest[:]), map[int]bool{i: true}}
		for r.xor != 0 {
			top := bits.Len64(r.xor)
			b, ok := basis[top]
			if !ok {
				basis[top] = r
				break
			}
			r.xor ^= b.xor
			for j := range b.of {
				if r.of[j] = !r.of[j]; !r.of[j] {
					delete(r.of, j)
				}
			}
		}
		if r.xor == 0 {
			cancel = r.of
		}
	}
	before := w.Root(0)
	for i := range cancel {
		w.take(with(alive(i), func(e *wire.Member) { e.Name, e.Named = fmt.Append(nil, "invented-", i), 0 }))
	}
	xor := uint64(0)
	for i := range cancel {
		digest := w.Get(goID(i)).Digest()
		xor ^= binary.BigEndian.Uint64(digest[:])
	}
	if w.Root(0) == before || xor != 0 {
		t.Errorf("%d entries, whose digests have the XOR %x, and the root %x after %x", len(cancel), xor, w.Root(0), before)
	}
}
