package pacing

import "time"

const (
	minFor  = 30 * time.Second // MinRTT looks back once to twice so long
	recentN = 3                // samples whose smallest counts as the present delay
	maxRTT  = 10 * time.Second

	riseLeast = 5 * time.Millisecond  // a smaller rise is noise
	riseMost  = 20 * time.Millisecond // a larger one is congestion however long the path
)

// delay keeps the round-trip times.
type delay struct {
	smoothed time.Duration
	jitter   time.Duration // smoothed difference of consecutive samples
	last     time.Duration // zero: none yet
	mins     [2]time.Duration
	since    time.Time // when mins[0] began
	recent   [recentN]time.Duration
	jump     bool
	n        int // samples in recent
}

func (d *delay) init(now time.Time, rtt time.Duration) {
	d.since = now
	if rtt <= 0 {
		d.smoothed = unknownRTT
		return
	}
	rtt = min(rtt, maxRTT)
	d.smoothed = rtt
	d.mins[0] = rtt
}

// min returns the smallest sample of the last 30 to 60 s.
func (d *delay) min() time.Duration {
	switch {
	case d.mins[0] == 0:
		return d.mins[1]
	case d.mins[1] == 0:
		return d.mins[0]
	}
	return min(d.mins[0], d.mins[1])
}

// add takes a sample. queued says that it is not of a datagram sent in the unpaced burst, whose
// delay tells of the burst.
func (d *delay) add(now time.Time, rtt time.Duration, paced bool) {
	if rtt <= 0 {
		return
	}
	rtt = min(rtt, maxRTT)
	if now.Sub(d.since) > minFor {
		d.mins[1], d.mins[0] = d.mins[0], 0
		d.since = now
	}
	if d.min() == 0 {
		d.smoothed = rtt
	}
	if d.mins[0] == 0 || rtt < d.mins[0] {
		d.mins[0] = rtt
	}
	d.smoothed += (min(rtt, 2*d.smoothed+50*time.Millisecond) - d.smoothed) / 8
	if !paced {
		return
	}
	d.jump = d.n > 0 && rtt-d.min() > 2*d.least() && rtt-d.min() > 4*d.jitter
	switch diff := (rtt - d.last).Abs(); {
	case d.last == 0:
	case d.jitter == 0:
		d.jitter = diff
	default:
		d.jitter += (diff - d.jitter) / 8
	}
	d.last = rtt
	copy(d.recent[1:], d.recent[:])
	d.recent[0] = rtt
	d.n = min(d.n+1, recentN)
}

// rise is by how much the smallest of the last samples exceeds the smallest known.
func (d *delay) rise(n int) time.Duration {
	if d.n == 0 {
		return 0
	}
	r := d.recent[0]
	for _, s := range d.recent[1:min(n, d.n)] {
		r = min(r, s)
	}
	return r - d.min()
}

// risen reports whether a queue has built up.
func (d *delay) risen(n int) bool {
	return d.n >= n && d.rise(n) > max(d.least(), 2*d.jitter)
}

func (d *delay) least() time.Duration { return max(riseLeast, min(d.min()/4, riseMost)) }
