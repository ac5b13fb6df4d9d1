package measure

import (
	"testing"
	"time"
)

func TestSpreadIsFromSendingToTheLastNode(t *testing.T) {
	var h Hub
	r := h.Begin(2, 3, true)
	for i := range 2 {
		p := r.Payload(nil, i, 64)
		r.Sent(i, 0)
		sent := r.epoch.Add(time.Duration(r.sent[i]))
		h.Deliver(0, p, sent) // deliveries at the origin do not count
		h.Deliver(1, p, sent.Add(time.Millisecond))
		h.Deliver(1, p, sent.Add(5*time.Millisecond)) // a second time, which does not count
		if i == 0 {
			h.Deliver(2, p, sent.Add(3*time.Millisecond))
		}
	}
	last, mid, ratio, incomplete := r.Spread()
	switch {
	case len(last) != 1:
		t.Errorf("len(last) is %d, want 1: %v", len(last), last)
	case last[0] != 3000:
		t.Errorf("the last delivery took %v, want 3000", last[0])
	case len(mid) != 1:
		t.Errorf("len(mid) is %d, want 1: %v", len(mid), mid)
	case mid[0] != 3000:
		t.Errorf("the median delivery took %v, want 3000", mid[0])
	}
	switch {
	case ratio != 0.75:
		t.Errorf("the ratio is %v, want 0.75", ratio)
	case incomplete != 1:
		t.Errorf("%v messages are incomplete, want 1", incomplete)
	case r.Dups.Load() != 2:
		t.Errorf("%v duplicates were counted, want 2", r.Dups.Load())
	case r.Whole.Load() != 1:
		t.Errorf("%v messages are whole, want 1", r.Whole.Load())
	}
	if !r.WaitWhole(1, time.Hour) || r.WaitWhole(2, time.Millisecond) {
		t.Error("waited for the wrong number")
	}
}

func TestMessagesOfAnEarlierRoundDoNotCount(t *testing.T) {
	var h Hub
	old := h.Begin(4, 2, false)
	p := old.Payload(nil, 3, 64)
	r := h.Begin(4, 2, false)
	h.Deliver(1, p, time.Now())
	if old.Total.Load()+r.Total.Load() != 0 {
		t.Error("counted")
	}
}

func TestDamagedPayloadCountsAsCorrupt(t *testing.T) {
	var h Hub
	r := h.Begin(1, 2, true)
	p := r.Payload(nil, 0, 64)
	p[40] ^= 1
	h.Deliver(1, p, time.Now())
	if r.Corrupt.Load() != 1 || r.Total.Load() != 0 {
		t.Errorf("%d corrupt, %d delivered", r.Corrupt.Load(), r.Total.Load())
	}
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	v := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.5: 2, 0.75: 3, 0.99: 4, 1: 4} {
		if got := Quantile(v, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if Quantile(nil, 0.5) != 0 {
		t.Error("of nothing")
	}
}

func TestPercentilesAreThoseOfTheNearestRank(t *testing.T) {
	var v []float64
	for i := range 200 {
		v = append(v, float64((i*77)%200)+1.23456) // 1.23456 to 200.23456 in another order
	}
	p := Percentiles(v)
	for at, want := range map[int]float64{0: 1.235, 1: 2.235, 50: 100.2, 100: 200.2} {
		if len(p) != 101 || p[at] != want {
			t.Errorf("percentile %d of %d is %v, want %v", at, len(p), p[at], want)
		}
	}
	if Percentiles(nil) != nil {
		t.Error("an empty sample has percentiles")
	}
}

func TestDelaysAreThoseOfAllDeliveries(t *testing.T) {
	var h Hub
	r := h.Begin(1, 3, false)
	p := r.Payload(nil, 0, 64)
	r.Sent(0, 0)
	sent := r.epoch.Add(time.Duration(r.sent[0]))
	h.Deliver(1, p, sent.Add(time.Millisecond))
	h.Deliver(2, p, sent.Add(3*time.Millisecond))
	if d := r.Delays(); len(d) != 2 || d[0] != 1 || d[1] != 3 {
		t.Errorf("delays %v, want 1 and 3 ms", d)
	}
}
