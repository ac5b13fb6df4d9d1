package pacing

import "time"

const (
	maxRTT = 10 * time.Second  // of a sample
	minFor = 300 * time.Second // min looks back once to twice so long

	riseLeast = 12 * time.Millisecond // a smaller rise is no queue
	riseMost  = 20 * time.Millisecond // a larger one is, however long the path
)

// delay keeps round-trip times. Zero is none.
type delay struct {
	smoothed time.Duration
	mins     [2]time.Duration // the smallest since mark, and in the minFor before
	mark     time.Time

	// Of datagrams that were paced: what the first burst waited for is itself.
	recent [3]time.Duration // newest first
	n      int              // samples in recent
	jitter time.Duration    // smoothed difference of one to the next
	jump   bool             // the newest alone tells of a queue
}

func (d *delay) init(now time.Time, rtt time.Duration) {
	d.mark = now
	d.smoothed = unknownRTT
	d.add(now, rtt, false)
}

// forget drops the recent samples when sending starts anew.
func (d *delay) forget() { d.n, d.jump = 0, false }

func (d *delay) min() time.Duration {
	if d.mins[0] == 0 || d.mins[1] == 0 {
		return d.mins[0] + d.mins[1]
	}
	return min(d.mins[0], d.mins[1])
}

// add takes a sample. One far above the others counts as less, for a receiver that stood still sends
// such.
func (d *delay) add(now time.Time, rtt time.Duration, paced bool) {
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
	if paced {
		d.addPaced(rtt)
	}
}

func (d *delay) addPaced(rtt time.Duration) {
	d.jump = d.n > 0 && rtt-d.min() > max(2*d.threshold(), 4*d.jitter)
	if d.n > 0 {
		diff := (rtt - d.recent[0]).Abs()
		if d.jitter == 0 {
			d.jitter = diff
		}
		d.jitter += (diff - d.jitter) / 8
	}
	copy(d.recent[1:], d.recent[:])
	d.recent[0] = rtt
	d.n = min(d.n+1, len(d.recent))
}

// threshold is the rise that tells of a queue where there is no jitter.
func (d *delay) threshold() time.Duration {
	return max(riseLeast, min(d.min()/4, riseMost))
}

// rise is by how much the smallest of the n newest samples exceeds the smallest of all; zero when
// there are fewer.
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

// risen reports whether each of the n newest samples tells of a queue.
func (d *delay) risen(n int) bool { return d.rise(n) > max(d.threshold(), 2*d.jitter) }
