// Package quota bounds what other nodes can cause: a Bucket bounds how often something is done, and a Map how
// much is remembered. Neither has a clock, a lock or a goroutine; one goroutine uses each.
//
// To read it: quota.go has the Bucket, map.go the Map.
package quota

import "time"

// A Rate is what a Bucket grants: Burst times in a row and, when those are used up, once more after each Every.
// Both are above zero.
type Rate struct {
	Burst int
	Every time.Duration
}

// PerSecond returns the rate of n times a second, which may all come at once.
func PerSecond(n int) Rate { return Rate{Burst: n, Every: time.Second / time.Duration(n)} }

// A Bucket is a token bucket. The zero value is full. Its rate is an argument, so that a bucket that a node has
// for each of its peers takes two words.
type Bucket struct {
	spent float64   // of the burst, as of at; between 0 and the burst
	at    time.Time // when spent was last brought up to date
}

// Take spends one token. It returns false, and spends nothing, if there is none. A clock that goes back adds
// no tokens until it has passed the latest time seen.
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
