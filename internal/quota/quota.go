// Package quota bounds what other nodes can cause: a Bucket limits how often something happens, and a Map limits how
// much is stored. They never read a clock, lock or start a goroutine, and each must be used by one goroutine at a time.
//
// Read quota.go (Bucket), then map.go (Map).
package quota

import "time"

// A Rate is the rate of a Bucket: Burst tokens at once and, after they are used up, one more after each interval of
// Every. Both must be positive.
type Rate struct {
	Burst int
	Every time.Duration
}

// PerSecond returns the rate of n tokens per second, which may all be taken at once.
func PerSecond(n int) Rate { return Rate{Burst: n, Every: time.Second / time.Duration(n)} }

// A Bucket is a token bucket. The zero value is full. The rate is an argument of Take, so the buckets of many peers
// need little memory.
type Bucket struct {
	spent float64   // tokens of the burst that were used at the time at; between 0 and the burst
	at    time.Time // when spent was last updated
}

// Take takes one token. It returns false and takes nothing if there is none. If the clock goes back, no tokens are
// added until it has passed the latest time seen.
func (b *Bucket) Take(now time.Time, r Rate) bool {
	if passed := now.Sub(b.at); passed > 0 {
		b.spent = max(0, b.spent-float64(passed)/float64(r.Every))
		b.at = now
	}
	if b.spent > float64(r.Burst-1) {
		return false
	}
	b.spent++
	return true
}
