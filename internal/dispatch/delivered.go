package dispatch

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Via is the way a message came.
type Via uint8

const (
	Broadcast Via = iota // to all nodes
	Direct               // to this node only
	Repeat               // to this node, because all nodes got it before this one joined
)

// Bounds of what is known of the messages delivered.
const (
	deliveredFor = 30 * time.Second // at least, unless there are more than
	deliveredMax = 1 << 15          // messages in each of two generations
)

// delivered is what all nodes have been sent and this one's application was handed lately: the hashes of the
// messages, in two generations of bounded age and number. Safe for concurrent use.
type delivered struct {
	known atomic.Uint64 // repeats that were not delivered, because their bytes had been

	mu     sync.Mutex // guards what follows
	seed   maphash.Seed
	begun  time.Time                // that the times are counted from
	now    map[uint64]time.Duration // when it was last delivered
	before map[uint64]time.Duration
	turned time.Duration // when the current generation began
}

// note remembers a message that is about to be delivered, and reports whether to deliver it. Only a repeat of
// what was delivered lately is not. A direct message is not remembered: the other nodes do not have it.
func (d *delivered) note(now time.Time, via Via, data []byte) (deliver bool) {
	if via == Direct {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil {
		d.seed, d.begun, d.now = maphash.MakeSeed(), now, make(map[uint64]time.Duration)
	}
	hash, at := maphash.Bytes(d.seed, data), now.Sub(d.begun)
	if _, ok := d.at(hash); ok && via == Repeat {
		d.known.Add(1)
		return false
	}
	d.turn(at)
	d.now[hash] = at
	return true
}

// turn begins another generation if the current one is full or old.
func (d *delivered) turn(at time.Duration) {
	switch {
	case len(d.now) >= deliveredMax && d.before != nil: // under load its memory is used again
		clear(d.before)
		d.now, d.before, d.turned = d.before, d.now, at
	case len(d.now) >= deliveredMax, at-d.turned >= deliveredFor:
		d.now, d.before, d.turned = make(map[uint64]time.Duration), d.now, at
	}
}

// at returns when a message with a hash was delivered.
func (d *delivered) at(hash uint64) (at time.Duration, ok bool) {
	if at, ok = d.now[hash]; !ok {
		at, ok = d.before[hash]
	}
	return at, ok
}

// DeliveredWithin reports whether the same bytes were handed to the application as a broadcast at most so long
// ago. The messages are remembered for 30 s, and under load the last 32,768 of them at least.
func (q *Queue[N]) DeliveredWithin(now time.Time, age time.Duration, data []byte) bool {
	d := &q.lately
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil {
		return false
	}
	at, ok := d.at(maphash.Bytes(d.seed, data))
	return ok && now.Sub(d.begun)-at < age
}

// KnownRepeats is how many repeats were not delivered so far, because their bytes had been.
func (q *Queue[N]) KnownRepeats() uint64 { return q.lately.known.Load() }
