package measure

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// HeadLen is the minimum size of a Payload in bytes.
const HeadLen = 24

// Hub receives the deliveries of an adapter and counts them in the current Round.
type Hub struct{ cur atomic.Pointer[Round] }

// Round records when each of m messages first reached each of n nodes.
type Round struct {
	epoch   time.Time
	base    uint64 // number of the first message of the current round
	m, n    int
	sent    []int64
	origin  []int32
	at      []int64       // [m*n] ns since epoch; 0 = not yet
	count   []int32       // first deliveries at nodes other than the origin
	whole   chan struct{} // holds one element if a message has reached all nodes since the last read
	Total   atomic.Int64  // first deliveries
	Whole   atomic.Int64  // messages that reached all nodes
	Dups    atomic.Int64
	Corrupt atomic.Int64
	check   bool
	rng     *rand.Rand
}

// Begin starts a round of m messages to n nodes. If check is set, it verifies the checksums of deliveries.
func (h *Hub) Begin(m, n int, check bool) *Round {
	var base uint64 = 1 << 20
	if c := h.cur.Load(); c != nil {
		base = c.base + uint64(c.m) + 1
	}
	t := &Round{epoch: time.Now().Add(-time.Second), base: base, m: m, n: n, sent: make([]int64, m),
		origin: make([]int32, m), at: make([]int64, m*n), count: make([]int32, m), check: check, whole: make(chan struct{}, 1),
		rng: rand.New(rand.NewSource(time.Now().UnixNano()))}
	h.cur.Store(t)
	return t
}

// Payload returns the bytes of message i: number | random | crc32 of the body | random body (incompressible). If buf
// is reused, only the header changes.
func (t *Round) Payload(buf []byte, i, size int) []byte {
	size = max(size, HeadLen)
	if len(buf) != size {
		buf = make([]byte, size)
		t.rng.Read(buf)
	}
	binary.LittleEndian.PutUint64(buf, t.base+uint64(i))
	binary.LittleEndian.PutUint64(buf[8:], t.rng.Uint64())
	if t.check {
		binary.LittleEndian.PutUint32(buf[16:], crc32.ChecksumIEEE(buf[HeadLen:]))
	}
	return buf
}

// Sent records the moment just before Broadcast.
func (t *Round) Sent(i, from int) {
	t.origin[i] = int32(from)
	atomic.StoreInt64(&t.sent[i], int64(time.Since(t.epoch)))
}

// Deliver records a delivery. It is the callback for the adapter.
func (h *Hub) Deliver(node int, p []byte, at time.Time) {
	t := h.cur.Load()
	if t == nil || len(p) < HeadLen {
		return
	}
	i := int64(binary.LittleEndian.Uint64(p)) - int64(t.base)
	if i < 0 || i >= int64(t.m) || node == int(t.origin[i]) {
		return
	}
	if t.check && binary.LittleEndian.Uint32(p[16:]) != crc32.ChecksumIEEE(p[HeadLen:]) {
		t.Corrupt.Add(1)
		return
	}
	if !atomic.CompareAndSwapInt64(&t.at[int(i)*t.n+node], 0, int64(at.Sub(t.epoch))) {
		t.Dups.Add(1)
		return
	}
	t.Total.Add(1)
	if atomic.AddInt32(&t.count[i], 1) == int32(t.n-1) {
		t.Whole.Add(1)
		select {
		case t.whole <- struct{}{}:
		default:
		}
	}
}

// WaitWhole waits until at least messages messages have reached all nodes. It returns false if no delivery happens
// for idle.
func (t *Round) WaitWhole(messages int64, idle time.Duration) bool {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	last := t.Total.Load()
	for t.Whole.Load() < messages {
		select {
		case <-t.whole:
		case <-timer.C:
			v := t.Total.Load()
			if v == last {
				return false
			}
			last = v
			timer.Reset(idle)
		}
	}
	return true
}

// Spread returns, per message, the microseconds until the last node (only for messages that reached all nodes) and
// until the median node, and the delivery ratio.
func (t *Round) Spread() (last, mid []float64, ratio float64, incomplete int) {
	for i := range t.m {
		var d []int64
		for k := range t.n {
			if v := atomic.LoadInt64(&t.at[i*t.n+k]); v != 0 {
				d = append(d, v-t.sent[i])
			}
		}
		slices.Sort(d)
		if len(d) > (t.n-1)/2 {
			mid = append(mid, float64(d[(t.n-1)/2])/1e3)
		}
		if len(d) == t.n-1 {
			last = append(last, float64(d[len(d)-1])/1e3)
		} else {
			incomplete++
		}
	}
	return last, mid, float64(t.Total.Load()) / float64(t.m*(t.n-1)), incomplete
}

// Delays returns the milliseconds from the sending of a message to each of its deliveries.
func (t *Round) Delays() (all []float64) {
	for i := range t.m {
		for k := range t.n {
			if v := atomic.LoadInt64(&t.at[i*t.n+k]); v != 0 {
				all = append(all, float64(v-t.sent[i])/1e6)
			}
		}
	}
	return all
}

// LastAt returns when the last delivery happened, in seconds after the first send, or 0 if there was none.
func (t *Round) LastAt() float64 {
	var hi int64
	for i := range t.at {
		hi = max(hi, atomic.LoadInt64(&t.at[i]))
	}
	if hi == 0 {
		return 0
	}
	return float64(hi-t.sent[0]) / 1e9
}

// Quantile returns a quantile of an unsorted sample (nearest rank), or 0 if it is empty.
func Quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return s[min(len(s)-1, max(0, int(q*float64(len(s))+0.9999)-1))]
}

// Percentiles returns the percentiles 0 to 100 of an unsorted sample (nearest rank) with four significant digits, or
// nil if it is empty.
func Percentiles(v []float64) []float64 {
	if len(v) == 0 {
		return nil
	}
	s := slices.Sorted(slices.Values(v))
	p := make([]float64, 101)
	for i := range p {
		at := s[max((i*len(s)+99)/100-1, 0)]
		p[i], _ = strconv.ParseFloat(strconv.FormatFloat(at, 'g', 4, 64), 64)
	}
	return p
}
