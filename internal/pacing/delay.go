package pacing

import "time"

const (
	maxRTT = 10 * time.Second  // maximum of a sample
	minFor = 300 * time.Second // min covers the last one to two periods of this length

	riseLeast = 12 * time.Millisecond // a smaller rise is not a queue
	riseMax   = 20 * time.Millisecond // a larger rise is a queue, even on a long path
)

// delay holds round-trip times. Zero means no sample.
type delay struct {
	smoothed time.Duration
	mins     [2]time.Duration // the smallest since mark, and in the period minFor before it
	mark     time.Time

	// Only of paced datagrams: datagrams of the first burst queue behind each other.
	recent [3]time.Duration // newest first
	at     time.Time        // when the newest one came
	n      int              // samples in recent
	jitter time.Duration    // smoothed difference of consecutive samples
	jump   bool             // the newest sample alone shows a queue
}

func (d *delay) init(now time.Time, rtt time.Duration) {
	d.mark = now
	d.smoothed = unknownRTT
	d.add(now, rtt, false, 0)
}

// forget drops the recent samples when the link restarts.
func (d *delay) forget() { d.n, d.jump = 0, false }

func (d *delay) min() time.Duration {
	if d.mins[0] == 0 || d.mins[1] == 0 {
		return d.mins[0] + d.mins[1]
	}
	return min(d.mins[0], d.mins[1])
}

// add adds a sample. A sample far above the smoothed time is limited, because a stalled receiver causes such samples. Paced
// samples within every show the same moment of the path, so only one of them counts as such.
func (d *delay) add(now time.Time, rtt time.Duration, paced bool, every time.Duration) {
	if rtt <= 0 {
		return
	}
	rtt = min(rtt, maxRTT)
	if d.min() == 0 {
		d.smoothed = rtt
	}
	d.smoothed += (min(rtt, 2*d.smoothed+50*time.Millisecond) - d.smoothed) / 8
	if now.Sub(d.mark) > minFor {
		d.mins[1], d.mins[0], d.mark = d.mins[0], 0, now
	}
	if d.mins[0] == 0 || rtt < d.mins[0] {
		d.mins[0] = rtt
	}
	if paced && now.Sub(d.at) >= every {
		d.at = now
		d.addPaced(rtt)
	}
}

func (d *delay) addPaced(rtt time.Duration) {
	d.jump = d.n > 0 && rtt-d.min() > max(2*d.threshold(), 4*d.jitter)
	if d.n > 0 {
		diff := (rtt - d.recent[0]).Abs()
		if d.n == 1 && d.jitter == 0 { // a later zero was measured
			d.jitter = diff
		}
		d.jitter += (diff - d.jitter) / 8
	}
	copy(d.recent[1:], d.recent[:])
	d.recent[0] = rtt
	d.n = min(d.n+1, len(d.recent))
}

// threshold returns the rise above which a path without jitter has a queue.
func (d *delay) threshold() time.Duration {
	return max(riseLeast, min(d.min()/4, riseMax))
}

// rise returns the difference between the smallest of the n newest samples and the overall minimum, or zero if there are
// fewer than n samples.
func (d *delay) rise(n int) time.Duration {
	if d.n < n {
		return 0
	}
	r := d.recent[0]
	for _, s := range d.recent[1:n] {
		r = min(r, s)
	}
	return r - d.min()
}

// risen reports whether each of the n newest samples indicates a queue.
func (d *delay) risen(n int) bool { return d.rise(n) > max(d.threshold(), 2*d.jitter) }
