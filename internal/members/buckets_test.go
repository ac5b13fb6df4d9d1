package members

import (
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// many returns a table with n further members of random ids, of which some have left or have a new incarnation.
func many(t *testing.T, n int) *world {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	for i := range n {
		e := with(alive(i+1), func(e *wire.Member) {
			for b := range e.ID {
				e.ID[b] = byte(rng.Uint32())
			}
			e.ID[6], e.ID[8] = 0x80, 0x80
		})
		w.SetAlive(w.now, e, Claim{Granted: true})
		if m := w.live[rng.IntN(len(w.live))]; m != w.Self() && i%3 == 0 {
			w.Fail(w.now, m, w.Self().ID)
		} else if i%3 == 1 {
			w.SetIncarnation(m, m.Incarnation+1)
		}
	}
	return w
}

func TestBucketsOfLargeTablesAgreeWithTheirMembers(t *testing.T) {
	for _, n := range []int{1, 100, 5_000} {
		w := many(t, n)
		for bits := range uint8(BucketBitsMax + 1) {
			w.checkBuckets(bits)
		}
	}
}

// The cost of a query about a few buckets depends only on their members, whatever ids the members have.
func TestQuestionAboutBucketsLooksAtFewMembers(t *testing.T) {
	w := many(t, 30_000)
	for _, bits := range []uint8{6, 10, 14} {
		looked := 0
		for range w.around(bits, 5, 6) {
			looked++
		}
		if most := w.Count()>>bits*2 + 4*bucketFill; looked > most {
			t.Errorf("%d bits: %d of %d members are looked at for one bucket, want at most %d", bits, looked, w.Count(), most)
		}
	}
	crowd := newWorld(t)
	for i := range 3000 { // all in one bucket
		e := alive(i + 1)
		for e.ID[0] = 0; Bucket(e.ID, 6) != 17; e.ID[0]++ {
			if e.ID[0] == 255 {
				e.ID[1]++
			}
		}
		crowd.SetAlive(crowd.now, e, Claim{Granted: true})
	}
	yielded, which := 0, []uint32{}
	for b := range uint32(1 << (BucketBitsMax - 6)) {
		which = append(which, 17<<(BucketBitsMax-6)+b)
	}
	for len(which) > 0 {
		n := crowd.together(BucketBitsMax, which)
		for range crowd.around(BucketBitsMax, which[0], which[n-1]+1) {
			yielded++
		}
		which = which[n:]
	}
	if yielded > 2*crowd.Count() {
		t.Errorf("%d looks at %d members of one bucket", yielded, crowd.Count())
	}
}

func TestTableOfMembersStaysWithinItsBudget(t *testing.T) {
	table := NewTable(start, Config{Self: memberFor(0), MetaMax: 512, Budget: 100 * (EntryBytes + 600)})
	w := &world{t: t, Table: &table, now: start}
	for i := range 1000 {
		e := with(alive(i+1), func(e *wire.Member) { e.Meta = make([]byte, 512) })
		if r := w.Refusal(e); r.Err == nil {
			w.take(e)
		}
		if i%10 == 9 {
			w.take(gone(2000+i, wire.StateDead, at(0)))
		}
		if w.Bytes() > table.cfg.Budget+EntryBytes {
			t.Fatalf("%d bytes, of which there may be %d", w.Bytes(), table.cfg.Budget)
		}
	}
	if n := w.Count(); n < 90 {
		t.Errorf("%d members in the room of 100", n)
	}
	if r := w.Refusal(with(alive(1), func(e *wire.Member) { e.Incarnation++ })); r.Err != nil {
		t.Errorf("a member may not change: %v", r.Err)
	}
}

// PROTOCOL.md M3.
func TestPeerBringsABoundedNumberOfEntries(t *testing.T) {
	stranger := func(i int) wire.NodeID { return wire.NodeID{1: byte(i >> 8), 2: byte(i), 3: byte(i >> 16)} }
	live := func(int) wire.NodeID { return goID(1) }
	for _, is := range []struct {
		of                     string
		entry, ofTheOtherClass func(i int) wire.NodeID
	}{{"new members", stranger, live}, {"changes of live members", live, stranger}} {
		t.Run(is.of, func(t *testing.T) {
			w := newWorld(t, 1)
			var by, other Source
			brought := 0
			for i := range 40_000 {
				if w.Ration(w.now, is.entry(i), &by) {
					brought++
				}
			}
			same(t, "entries of one peer", brought, 16_384)
			same(t, "entries refused", int(w.Rationed), 40_000-16_384)
			if !w.Ration(w.now, is.ofTheOtherClass(0), &by) {
				t.Error("the two classes share a limit")
			}
			if !w.Ration(w.now, is.entry(0), &other) {
				t.Error("two peers share a limit")
			}
			w.sleep(time.Second / 256)
			if !w.Ration(w.now, is.entry(0), &by) {
				t.Error("no further entry after a 256th of a second")
			}
			if w.Ration(w.now, is.entry(0), &by) {
				t.Error("more than one further entry after a 256th of a second")
			}
		})
	}
}

func TestNoBucketsHaveNoHashesWhereverTheyBegin(t *testing.T) {
	w := many(t, 10)
	for bits := range uint8(BucketBitsMax + 1) {
		for _, first := range []uint32{0, 1 << bits} {
			if hashes := w.BucketHashes(0, bits, first, 0); len(hashes) != 0 {
				t.Errorf("%d hashes for none of 2^%d buckets from %d", len(hashes), bits, first)
			}
		}
	}
}

// PROTOCOL.md Y2. Otherwise a comparison computes the sums of all buckets anew.
func TestIndexHasAtLeastTheBucketsOfAComparison(t *testing.T) {
	w := newWorld(t)
	for n := 1; n <= 5000; n++ {
		if theirs := n + n/8; w.buckets.bits < uint8(bits.Len(uint(theirs/8))) {
			t.Fatalf("%d bits for %d members, too few to compare with %d", w.buckets.bits, n, theirs)
		}
		w.SetAlive(w.now, alive(n), Claim{Granted: true})
	}
}

func TestRankOfAMemberIsComputedOnce(t *testing.T) {
	w := newWorld(t, 1)
	computed := map[wire.NodeID]int{}
	w.RankBy(func(id wire.NodeID) float64 {
		computed[id]++
		return 1 + float64(Hash(id))
	})
	w.SetAlive(w.now, alive(2), Claim{Granted: true})
	w.SetIncarnation(w.Get(goID(1)), at(time.Second))
	for m := range w.Each {
		same(t, "rank", w.Rank(m), 1+float64(Hash(m.ID)))
		same(t, "computations", computed[m.ID], 1)
	}
}

// PROTOCOL.md M3.
func TestLastEighthOfTheTableIsForNodesThatBringTheirOwnEntry(t *testing.T) {
	const meta, budget = 512, 100 * (EntryBytes + 600)
	table := NewTable(start, Config{Self: memberFor(0), MetaMax: meta, Budget: budget})
	w := &world{t: t, Table: &table, now: start}
	entry := func(i int) *wire.Member {
		return with(alive(i), func(e *wire.Member) { e.Meta = make([]byte, meta) })
	}
	var by Source
	for i := 1; i <= 1000; i++ { // members that do not exist
		if e := entry(i); w.Refusal(e).Err == nil && w.Ration(w.now, e.ID, &by) {
			w.take(e)
		}
	}
	if n := w.Bytes(); n < budget/8*7 || n > budget/8*7+EntryBytes+600 || !w.Crowded() {
		t.Errorf("invented members take %d of %d bytes, crowded: %t", n, budget, w.Crowded())
	}
	if !w.Ration(w.now, goID(1), &by) {
		t.Error("a member may not change any more")
	}
	own := 0
	for i := 2001; w.Refusal(entry(i)).Err == nil; i++ {
		w.take(entry(i))
		own++
	}
	if own < 10 {
		t.Errorf("%d nodes had room that brought their own entries", own)
	}
	many := newWorld(t)
	for i := 1; !many.Crowded() && i <= Max; i++ {
		many.SetAlive(many.now, with(alive(i), func(e *wire.Member) { e.ID[13] = byte(i >> 16) }), Claim{Granted: true})
	}
	same(t, "members of a crowded table", many.Count(), 87_500)
}
