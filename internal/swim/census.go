package swim

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
)

// Limits of a census.
const (
	censusStep  = 250 * time.Millisecond
	censusBatch = 16 // members probed in one step
)

// StartCensus begins to probe all members that are not linked, unless a census is in progress.
func (d *Detector) StartCensus(now time.Time) {
	x := &d.census
	if x.timer.Pending() {
		return
	}
	x.left = x.left[:0]
	for m := range d.table.Each {
		if d.inCensus(m) {
			x.left = append(x.left, m.ID)
		}
	}
	d.rng.Shuffle(len(x.left), func(i, k int) { x.left[i], x.left[k] = x.left[k], x.left[i] })
	d.timers.Set(&x.timer, now)
}

// inCensus reports whether a census probes m. Linked members are watched anyway, so a census leaves them out.
func (d *Detector) inCensus(m *members.Entry) bool {
	if m == d.self || m.Legacy() || d.Accuses(m) {
		return false
	}
	p := d.peers[m.ID]
	return p == nil || !p.linked
}

// stepCensus probes the next members. If the links work again and none of them has ended, the failure was temporary,
// and the census ends.
func (d *Detector) stepCensus(now time.Time) {
	x := &d.census
	n := min(len(x.left), censusBatch)
	for _, id := range x.left[:n] {
		if m := d.table.Get(id); m != nil && m.Live() && d.inCensus(m) {
			d.startProbe(now, m, true)
		}
	}
	x.left = slices.Delete(x.left, 0, n)
	recovered := !d.linksFail(now) && x.subscribed
	if len(x.left) == 0 || !d.self.Live() || recovered {
		x.left = nil
		return
	}
	d.timers.Set(&x.timer, now.Add(censusStep))
}
