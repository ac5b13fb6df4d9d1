package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Nearest (docs/PROTOCOL.md G8) wants distances, and a node has sessions with few of the others. So the
// zone of a member stands for it until it was measured, and a few members are measured all the time.
const (
	nearestRandom   = 2                      // subscriptions of Nearest that ignore distance: they hold the cluster together
	rttStep         = time.Millisecond       // a member is no further away for less
	nearEnough      = 2 * time.Millisecond   // shorter distances are alike: below it the scheduling of either end speaks
	nearGain        = 5. / 4                 // what is no more than so many times as far is as good
	farAway         = 100 * time.Millisecond // the distance of another zone of which no member was measured
	measureInterval = 12 * time.Second       // between two members measured that need not be linked
)

// nearness is what a node knows of distances, beyond Member.RTT.
type nearness struct {
	timer timer.Timer
	zones map[wire.Zone]time.Duration // of those in which a member was measured, as of the last choice
}

// chooseNearest picks count of the candidates that each yields, twice in the same order: all but two
// among the nearest, two among all, and at least one of another zone. Among those that are about as near
// as the ones needed the keys decide, as they do for the two: so the members of a zone do not all
// flock to the same few, and small differences of distance change nothing.
func chooseNearest(each func(yield func(candidate)), zone wire.Zone, count int) []candidate {
	want := max(count-nearestRandom, 0)
	limit := nearLimit(each, want)
	near := chooser{count: want}
	all := chooser{count: count}
	foreign := chooser{count: 1}
	each(func(o candidate) {
		all.offer(o)
		if o.away <= limit {
			near.offer(o)
		}
		if o.zone != zone {
			foreign.offer(o)
		}
	})
	best := near.best
	for _, o := range all.best {
		if len(best) < count && !slices.Contains(near.best, o) {
			best = append(best, o)
		}
	}
	if len(best) > 0 && !slices.ContainsFunc(best, func(o candidate) bool { return o.zone != zone }) {
		copy(best[len(best)-1:], foreign.best)
	}
	return best
}

// nearLimit is the distance within which there are as many candidates as wanted, and those as good.
func nearLimit(each func(yield func(candidate)), want int) time.Duration {
	if want == 0 {
		return -1
	}
	nearest := make([]time.Duration, 0, want+1)
	each(func(o candidate) {
		i, _ := slices.BinarySearch(nearest, o.away)
		if i < want {
			nearest = slices.Insert(nearest, i, o.away)
			nearest = nearest[:min(len(nearest), want)]
		}
	})
	if len(nearest) == 0 {
		return -1
	}
	return time.Duration(float64(max(nearest[len(nearest)-1], nearEnough)) * nearGain)
}

// surveyZones brings the distances of zones up to date: the harmonic mean of those of their members, which
// a single one that was measured in a bad moment hardly moves.
func (c *Core) surveyZones() {
	type sum struct {
		inverse float64 // of seconds
		n       int
	}
	sums := make(map[wire.Zone]sum)
	for m := range c.members.Each {
		if m.RTT > 0 {
			s := sums[m.Zone]
			sums[m.Zone] = sum{s.inverse + 1/m.RTT.Seconds(), s.n + 1}
		}
	}
	c.nearness.zones = make(map[wire.Zone]time.Duration, len(sums))
	for z, s := range sums {
		c.nearness.zones[z] = time.Duration(float64(s.n) / s.inverse * float64(time.Second))
	}
}

// distance is the round-trip time to m as far as it is known or to be guessed.
func (c *Core) distance(m *members.Entry) time.Duration {
	if m.RTT > 0 {
		return m.RTT
	}
	if d := c.nearness.zones[m.Zone]; d > 0 {
		return d
	}
	if m.Zone == c.cfg.Zone {
		return nearEnough
	}
	return farAway
}

// measured notes the round-trip time to a peer. The member's, by which it is chosen, stays until it has
// changed by a fifth, so that choices do. Upwards a small step is no distance, but the scheduling of either end.
func (c *Core) measured(p *peer, rtt time.Duration) {
	if rtt <= 0 {
		return
	}
	p.packets.SetRTT(rtt)
	m := c.members.Get(p.id)
	if m == nil {
		return
	}
	if least := p.packets.Pace().MinRTT(); least > 0 { // a queue is no distance
		rtt = min(rtt, least)
	}
	if old := float64(m.RTT); float64(rtt)*nearGain < old || float64(rtt) > old*nearGain && (old == 0 || rtt-m.RTT >= rttStep) {
		m.RTT = rtt
		c.distances++
	}
}

// Distances counts the changes of members' round-trip times, which are no changes of Version.
func (c *Core) Distances() uint64 { return c.distances }

// measure asks a member drawn at random how far it is, by a handshake where there is no session, and
// sooner one of a zone that nothing is known of.
func (c *Core) measure(now time.Time) {
	c.timers.Set(&c.nearness.timer, now.Add(measureInterval/2+time.Duration(c.rng.Int64N(int64(measureInterval)))))
	if !c.self.Live() || len(c.links) == 0 {
		return
	}
	var pick *members.Entry
	for range 8 {
		m := c.members.Draw(c.rng)
		if m == c.self || m.Legacy() || c.avoided[m.ID].until.After(now) {
			continue
		}
		if pick = m; c.nearness.zones[m.Zone] == 0 {
			break
		}
	}
	if pick == nil {
		return
	}
	if p := c.peers[pick.ID]; p != nil && p.set.Current(now) != nil {
		c.ping(now, p)
	} else if !c.dialing(pick.ID) {
		c.dial(now, wire.Path{Remote: pick.Addr}, dial{member: pick.ID}, now.Add(dialFor))
	}
}
