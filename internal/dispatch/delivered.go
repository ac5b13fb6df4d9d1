package dispatch

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Via is the way in which a message arrived.
type Via uint8

const (
	Broadcast Via = iota // to all nodes
	Direct               // to this node only
	Repeat               // to this node, which joined after all nodes had been sent it
)

// Bounds of the record of delivered messages.
const (
	deliveredFor = 30 * time.Second // minimum time, unless there are more than
	deliveredMax = 1 << 15          // messages in each of two generations
)

// delivered records which broadcasts were recently delivered to the application: the hashes of the messages, in two
// generations of bounded age and number. It is safe for concurrent use.
type delivered struct {
	known atomic.Uint64 // repeats not delivered because the same bytes had been delivered

	mu     sync.Mutex // guards the following fields
	seed   maphash.Seed
	begun  time.Time                // times are counted from here
	now    map[uint64]time.Duration // hash to the time of the last delivery
	before map[uint64]time.Duration
	turned time.Duration // when the current generation began
}

// note records a message that is about to be delivered, and reports whether to deliver it. It returns false only for a
// repeat of a recent message. It does not record direct messages, because the other nodes do not have them.
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
	if via == Repeat {
		if _, ok := d.at(hash); ok {
			d.known.Add(1)
			return false
		}
	}
	d.turn(at)
	d.now[hash] = at
	return true
}

// turn starts a new generation if the current one is full or old.
func (d *delivered) turn(at time.Duration) {
	switch {
	case len(d.now) >= deliveredMax && d.before != nil: // under load, reuse the memory
		clear(d.before)
		d.now, d.before, d.turned = d.before, d.now, at
	case len(d.now) >= deliveredMax, at-d.turned >= deliveredFor:
		d.now, d.before, d.turned = make(map[uint64]time.Duration), d.now, at
	}
}

// at returns when the message with the given hash was delivered.
func (d *delivered) at(hash uint64) (at time.Duration, ok bool) {
	if at, ok = d.now[hash]; !ok {
		at, ok = d.before[hash]
	}
	return at, ok
}

// DeliveredWithin reports whether the same bytes were delivered as a broadcast less than age ago. Messages are recorded
// for 30 s; under load at least the last 32,768 are recorded.
func (q *Queue[N]) DeliveredWithin(now time.Time, age time.Duration, data []byte) bool {
	d := &q.recent
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil {
		return false
	}
	at, ok := d.at(maphash.Bytes(d.seed, data))
	return ok && now.Sub(d.begun)-at < age
}

// KnownRepeats returns the number of repeats that were not delivered because the same bytes had been delivered.
func (q *Queue[N]) KnownRepeats() uint64 { return q.recent.known.Load() }
