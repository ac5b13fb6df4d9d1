package simnet

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQueueGivesItemsBackInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q queue
	var model []item
	for i := range 4_000 {
		if r.IntN(100) < 55 || len(model) == 0 {
			at := int64(r.IntN(1000))
			q.push(at, int32(i), int32(-i))
			model = append(model, item{at, q.seq, int32(i), int32(-i)})
			continue
		}
		first := slices.MinFunc(model, func(a, b item) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
		model = slices.DeleteFunc(model, func(it item) bool { return it.seq == first.seq })
		if q.next() != first.at {
			t.Fatalf("next at %d, want %d", q.next(), first.at)
		}
		if ref, dst := q.pop(); ref != first.ref || dst != first.dst {
			t.Fatalf("got item %d to %d, want %d to %d", ref, dst, first.ref, first.dst)
		}
	}
}

func TestWakesKnowsTheFirstOfAllHosts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var w wakes
	hosts := make([]*host, 200)
	at := make([]int64, len(hosts))
	for i := range hosts {
		hosts[i], at[i] = &host{hostRef: hostRef{index: int32(i)}, slot: -1}, never
	}
	for range 5_000 {
		i := r.IntN(len(hosts))
		at[i] = int64(r.IntN(500))
		if r.IntN(3) == 0 {
			at[i] = never
		}
		w.set(hosts[i], at[i])
		first := slices.Min(at)
		if w.next() != first {
			t.Fatalf("next at %d, want %d", w.next(), first)
		}
		if first != never && int(w.heap[0].index) != slices.Index(at, first) {
			t.Fatalf("host %d is first, want %d", w.heap[0].index, slices.Index(at, first))
		}
	}
}

func TestBuffersHoldTheirSizes(t *testing.T) {
	var p packets
	for _, size := range []int{0, 1, 63, 64, 65, 1400, 1 << 15, 1<<15 + 1, MaxDatagram, 1 << 16} {
		i := p.add(&packet{}, make([]byte, size))
		if len(p.all[i].buf) != size {
			t.Errorf("%d bytes became %d", size, len(p.all[i].buf))
		}
		p.remove(i)
	}
	if len(p.all) != 1 {
		t.Errorf("%d places for one packet at a time", len(p.all))
	}
}
