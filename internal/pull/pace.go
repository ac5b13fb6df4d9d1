package pull

import "time"

const (
	trafficFor = time.Second            // polls are one Interval apart for this time after a new message
	restFactor = 2                      // Intervals between polls at rest, because a wake-up costs as much as a message
	anewFor    = time.Second            // after this time of polls that return only single new messages,
	anewFactor = 5                      // polls are this many Intervals apart,
	anewMax    = 200 * time.Millisecond // but no more than memberlist's polls, unless the Interval is longer
)

// A pace decides how often to poll. If an application encodes its messages again for each poll, each poll would cost a
// broadcast to all nodes, even at rest. The pace polls such an application at about memberlist's intervals. It does not
// slow down the queue of an application that has much to send.
type pace struct {
	begun    time.Time // of the current Interval
	polls    int       // number of polls in the current Interval
	traffic  time.Time // when a poll last returned a new message
	newSince time.Time // since when every poll has returned new slices, and few of them; zero if the last did not
}

// mayPoll reports whether the current interval has a poll left, and counts that poll.
func (p *pace) mayPoll(now time.Time, interval time.Duration) bool {
	if now.Sub(p.begun) >= interval {
		p.begun, p.polls = now, 0
	}
	if p.polls >= pollsMax {
		return false
	}
	p.polls++
	return true
}

func (p *pace) note(now time.Time, g *gave) {
	if g.fresh {
		p.traffic = now
	}
	burst := g.full && g.messages > 1
	switch {
	case g.messages == 0 || g.again > 0 || burst:
		p.newSince = time.Time{}
	case p.newSince.IsZero():
		p.newSince = now
	}
}

func (p *pace) pause(now time.Time, interval time.Duration) time.Duration {
	switch {
	case !p.newSince.IsZero() && now.Sub(p.newSince) >= anewFor:
		return max(interval, min(anewFactor*interval, anewMax))
	case now.Sub(p.traffic) < trafficFor:
		return interval
	default:
		return restFactor * interval
	}
}
