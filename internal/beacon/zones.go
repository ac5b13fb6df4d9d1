package beacon

import (
	"cmp"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what a node keeps of the beacons of others.
const (
	ZonesMax   = 64               // number of zones with figures of their own
	OriginsMax = 4096             // number of nodes whose last beacon is kept
	recentMax  = 128              // number of propagation times of a zone that are kept
	zoneLife   = 10 * time.Minute // a zone that was silent for this time may be dropped for another one
)

// OtherZones is the name of the figures of all zones that have no room of their own.
const OtherZones = "(other zones)"

// Bounds are the upper bounds of the buckets of the histograms. One more bucket has everything above.
var Bounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
	10 * time.Second, 30 * time.Second,
}

// A Zone has the propagation times of the beacons of one zone.
type Zone struct {
	Name    string
	Count   uint64                  // beacons measured
	Sum     time.Duration           // of all of them
	Buckets [len(Bounds) + 1]uint64 // number of beacons by propagation time, see Bounds
	Recent  []time.Duration         // the latest ones, at most recentMax, the oldest first
	Heard   time.Time               // when the last one arrived
	Margin  time.Duration           // half of the round trips on the path of the last one
}

// Quantile returns the q-quantile of Recent, for 0 < q <= 1, or zero if there are none.
func (z *Zone) Quantile(q float64) time.Duration {
	if len(z.Recent) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(z.Recent))
	return sorted[max(0, min(int(q*float64(len(sorted))+0.999999)-1, len(sorted)-1))]
}

func (z *Zone) add(now time.Time, took, margin time.Duration) {
	z.Count++
	z.Sum += took
	i, _ := slices.BinarySearch(Bounds[:], took)
	z.Buckets[i]++
	if len(z.Recent) == recentMax {
		z.Recent = append(z.Recent[:0], z.Recent[1:]...)
	}
	z.Recent = append(z.Recent, took)
	z.Heard, z.Margin = now, margin
}

// An Origin is a node whose beacons arrive here.
type Origin struct {
	ID       wire.NodeID
	Heard    time.Time     // when its last beacon arrived
	Interval time.Duration // until its next beacon, as it said
	Took     time.Duration // propagation time of its last measured beacon
	Measured bool          // Took is known
}

// Overdue reports whether three beacons of the origin in a row did not come.
func (o *Origin) Overdue(now time.Time) bool { return now.Sub(o.Heard) > 3*o.Interval }

// zone returns the figures of a zone.
func (b *Beacons) zone(now time.Time, name string) *Zone {
	at := func(name string) (int, bool) {
		return slices.BinarySearchFunc(b.zones, name, func(z *Zone, name string) int { return cmp.Compare(z.Name, name) })
	}
	i, ok := at(name)
	if ok {
		return b.zones[i]
	}
	if len(b.zones) >= ZonesMax {
		silent := slices.IndexFunc(b.zones, func(z *Zone) bool { return now.Sub(z.Heard) > zoneLife })
		if silent < 0 {
			return &b.others
		}
		b.zones = slices.Delete(b.zones, silent, silent+1)
		i, _ = at(name)
	}
	z := &Zone{Name: name}
	b.zones = slices.Insert(b.zones, i, z)
	return z
}

// Zones returns copies of the figures of all zones, by name, and OtherZones last if it has any.
func (b *Beacons) Zones() []Zone {
	all := make([]Zone, 0, len(b.zones)+1)
	for _, z := range b.zones {
		all = append(all, *z)
	}
	if b.others.Count > 0 {
		all = append(all, b.others)
	}
	for i := range all {
		all[i].Recent = slices.Clone(all[i].Recent)
	}
	return all
}

// Origins returns the live members whose beacons arrive here, at most limit: those whose beacons are overdue first, then
// those with the longest propagation times.
func (b *Beacons) Origins(now time.Time, limit int) []Origin {
	var all []Origin
	for id, o := range b.origins.All {
		if b.cfg.Members.IsLive(id) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(x, y Origin) int {
		switch late, later := x.Overdue(now), y.Overdue(now); {
		case late && later:
			return cmp.Or(x.Heard.Compare(y.Heard), slices.Compare(x.ID[:], y.ID[:]))
		case late:
			return -1
		case later:
			return 1
		}
		return cmp.Or(cmp.Compare(y.Took, x.Took), slices.Compare(x.ID[:], y.ID[:]))
	})
	return all[:min(len(all), limit)]
}
