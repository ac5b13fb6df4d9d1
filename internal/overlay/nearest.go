package overlay

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Nearest (docs/PROTOCOL.md G8) needs distances, and a node has sessions with few of the others. So a member that was
// not measured has the distance of its zone, and a few members are measured all the time.
const (
	nearestRandom   = 2                      // members chosen without regard to distance: they keep the cluster connected
	rttStep         = time.Millisecond       // a smaller increase of a round-trip time is ignored
	nearEnough      = 2 * time.Millisecond   // shorter distances are alike: they measure the scheduling of either end
	nearGain        = 5. / 4                 // a distance up to this factor larger is as good
	farAway         = 100 * time.Millisecond // the distance of another zone of which no member was measured
	measureInterval = 12 * time.Second       // between two measurements of members without a link, on average
	measureTries    = 8                      // members drawn for one measurement, at most
)

// chooseNearest picks count of the candidates that each yields, which must come in the same order each time: all but two
// among the nearest, two among all, and at least one of another zone. Among the candidates that are about as near as
// the ones needed, the keys decide, as they do for the other two. So the members of a zone do not all choose the same
// few, and small differences of distance change nothing.
func chooseNearest(each func(yield func(candidate)), zone wire.Zone, count int) []candidate {
	want := max(count-nearestRandom, 0)
	limit := nearLimit(each, want)
	near := chooser{count: want}
	all := chooser{count: count}
	foreign := chooser{count: 1}
	each(func(x candidate) {
		all.offer(x)
		if x.distance <= limit {
			near.offer(x)
		}
		if x.zone != zone {
			foreign.offer(x)
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

// nearLimit is the distance within which there are as many candidates as wanted, and those that are as good. It is
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

// surveyZones computes the distances of zones. Each is the harmonic mean over the measured members of the zone, which one
// member that was measured at a bad moment hardly changes.
func (o *Overlay) surveyZones() {
	type sum struct {
		inverse float64 // of seconds
		n       int
	}
	sums := make(map[wire.Zone]sum)
	for m := range o.members.Each {
		if m.RTT > 0 {
			s := sums[m.Zone]
			sums[m.Zone] = sum{s.inverse + 1/m.RTT.Seconds(), s.n + 1}
		}
	}
	o.zones = make(map[wire.Zone]time.Duration, len(sums))
	for z, s := range sums {
		o.zones[z] = time.Duration(float64(s.n) / s.inverse * float64(time.Second))
	}
}

// distance is the round-trip time to m as far as it is known, and otherwise a guess.
func (o *Overlay) distance(m *members.Entry) time.Duration {
	if m.RTT > 0 {
		return m.RTT
	}
	if d := o.zones[m.Zone]; d > 0 {
		return d
	}
	if m.Zone == o.cfg.Zone {
		return nearEnough
	}
	return farAway
}

// Measured takes a measured round-trip time to m. The time in m, by which m is chosen, stays until it has changed by a
// fifth, so that choices stay. A small increase is ignored, because it comes from the scheduling of either end.
func (o *Overlay) Measured(m *members.Entry, rtt time.Duration) {
	shorter := float64(rtt)*nearGain < float64(m.RTT)
	longer := float64(rtt) > float64(m.RTT)*nearGain
	if shorter || longer && (m.RTT == 0 || rtt-m.RTT >= rttStep) {
		m.RTT = rtt
		o.distances++
	}
}

// Measure returns the member whose distance the core measures next, by a Ping, or by a handshake if there is no session;
// nil for none. It prefers a member of a zone without a measured member. The entry is for reading only.
func (o *Overlay) Measure(now time.Time) (drawn *members.Entry) {
	o.measureAt = now.Add(measureInterval/2 + time.Duration(o.rng.Int64N(int64(measureInterval))))
	if o.departed() || len(o.links) == 0 {
		return nil
	}
	for range measureTries {
		m := o.members.Draw(o.rng)
		if m.ID == o.self || m.Legacy() || o.Avoids(now, m.ID) {
			continue
		}
		if drawn = m; o.zones[m.Zone] == 0 {
			break
		}
	}
	return drawn
}
