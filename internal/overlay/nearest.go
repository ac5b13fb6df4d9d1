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

// chooseNearest selects the candidates, which each yields in the same order each time, that ch wants: random of them
// among all, the others among the nearest, and one of another zone unless abroad. Among candidates at about the same
// distance, and for the random ones, the keys decide. So the members of a zone do not all choose the same few, and
// small changes of a distance do not change the choice. The last ones are those that were chosen among all.
func chooseNearest(each func(yield func(candidate)), ch chooser, random int, abroad bool) []candidate {
	count := ch.local(0)
	near, foreign := ch, chooser{count: 1}
	near.count = max(ch.count-random, 0)
	limit := nearLimit(each, near.local(0))
	each(func(x candidate) {
		ch.consider(x)
		if x.distance <= limit {
			near.consider(x)
		}
		if x.zone != ch.zone {
			foreign.consider(x)
		}
	})
	best := near.best
	for _, x := range ch.best {
		if len(best) < count && !slices.ContainsFunc(best, func(o candidate) bool { return o.source == x.source }) {
			best = append(best, x)
		}
	}
	best = fill(fill(best, near.spare, count), ch.spare, count)
	if !abroad && len(best) > 0 && !slices.ContainsFunc(best, func(x candidate) bool { return x.zone != ch.zone }) {
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

// survey computes the distance of each zone: the median of its measured members, of an even number the longer one in the
// middle. So a few members hardly change it, by a long measurement, or because they are near and declare the zone of others.
func (d *distances) survey(table *members.Table) {
	measured := make(map[wire.Zone][]time.Duration)
	for m := range table.Each {
		if m.RTT > 0 {
			measured[m.Zone] = append(measured[m.Zone], m.RTT)
		}
	}
	d.zones = make(map[wire.Zone]time.Duration, len(measured))
	for z, list := range measured {
		slices.Sort(list)
		d.zones[z] = list[len(list)/2]
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
