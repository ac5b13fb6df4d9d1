package overlay

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Nearest (docs/PROTOCOL.md G8) needs distances, but a node has sessions with few members. So a member without a
// measurement has the distance of its zone, and a few members are measured all the time.
const (
	nearestRandom   = 2                      // members chosen without regard to distance, to keep the cluster connected
	rttStep         = time.Millisecond       // a smaller increase of a round-trip time is ignored
	nearEnough      = 2 * time.Millisecond   // shorter distances are equal: they measure the scheduling of both nodes
	nearGain        = 5. / 4                 // a distance up to this factor larger counts as equal
	farAway         = 100 * time.Millisecond // distance of another zone without a measured member
	measureInterval = 12 * time.Second       // average time between two measurements of members without a link
	measureTries    = 8                      // maximum number of members drawn for one measurement
)

// chooseNearest selects count of the candidates, which each yields in the same order each time: all except two among
// the nearest, two among all, and at least one of another zone. Among candidates at about the same distance, and for
// the other two, the keys decide. So the members of a zone do not all choose the same few, and small changes of a
// distance do not change the choice.
func chooseNearest(each func(yield func(candidate)), zone wire.Zone, count int) []candidate {
	want := max(count-nearestRandom, 0)
	limit := nearLimit(each, want)
	near := chooser{count: want}
	all := chooser{count: count}
	foreign := chooser{count: 1}
	each(func(x candidate) {
		all.consider(x)
		if x.distance <= limit {
			near.consider(x)
		}
		if x.zone != zone {
			foreign.consider(x)
		}
	})
	best := near.best
	for _, x := range all.best {
		if len(best) < count && !slices.Contains(near.best, x) {
			best = append(best, x)
		}
	}
	if len(best) > 0 && !slices.ContainsFunc(best, func(x candidate) bool { return x.zone != zone }) {
		copy(best[len(best)-1:], foreign.best)
	}
	return best
}

// nearLimit returns the distance that includes as many candidates as wanted, and those that count as equal. It is
// negative if there is none, or none is wanted.
func nearLimit(each func(yield func(candidate)), want int) time.Duration {
	if want == 0 {
		return -1
	}
	nearest := make([]time.Duration, 0, want+1)
	each(func(x candidate) {
		i, _ := slices.BinarySearch(nearest, x.distance)
		if i < want {
			nearest = slices.Insert(nearest, i, x.distance)
			nearest = nearest[:min(len(nearest), want)]
		}
	})
	if len(nearest) == 0 {
		return -1
	}
	return time.Duration(float64(max(nearest[len(nearest)-1], nearEnough)) * nearGain)
}

// distances holds a node's knowledge of the distances of members.
type distances struct {
	own   wire.Zone
	zones map[wire.Zone]time.Duration // of the zones with a measured member, at the last survey
}

// survey computes the distance of each zone: the harmonic mean of its measured members. One long measurement hardly
// changes it.
func (d *distances) survey(table *members.Table) {
	type sum struct {
		inverse float64 // of seconds
		n       int
	}
	sums := make(map[wire.Zone]sum)
	for m := range table.Each {
		if m.RTT > 0 {
			s := sums[m.Zone]
			sums[m.Zone] = sum{s.inverse + 1/m.RTT.Seconds(), s.n + 1}
		}
	}
	d.zones = make(map[wire.Zone]time.Duration, len(sums))
	for z, s := range sums {
		d.zones[z] = time.Duration(float64(s.n) / s.inverse * float64(time.Second))
	}
}

// of returns the round-trip time to m if it was measured, otherwise an estimate.
func (d *distances) of(m *members.Entry) time.Duration {
	if m.RTT > 0 {
		return m.RTT
	}
	if zone := d.zones[m.Zone]; zone > 0 {
		return zone
	}
	if m.Zone == d.own {
		return nearEnough
	}
	return farAway
}

// differs reports whether a measured round-trip time replaces the known one, from which it must differ by a fifth. It
// ignores small increases, because they come from the scheduling of either node.
func differs(measured, known time.Duration) bool {
	if known == 0 || float64(measured)*nearGain < float64(known) {
		return true
	}
	return float64(measured) > float64(known)*nearGain && measured-known >= rttStep
}
